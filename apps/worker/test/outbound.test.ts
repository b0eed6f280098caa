import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { type Permit, parsePermit } from '../src/addresses.ts';
import { download } from '../src/download.ts';
import { openOutbound, type Resolve } from '../src/outbound.ts';
import { serve } from './job-context.ts';

let server: Awaited<ReturnType<typeof serve>>;
beforeEach(async () => {
  server = await serve((_request, response) => response.end('hello'));
});
afterEach(() => server.stop());

/** A name server that gives its answers one after another. */
function answering(...answers: string[][]): Resolve {
  return (_host, _options, callback) => {
    const addresses = (answers.length > 1 ? answers.shift() : answers[0]) ?? [];
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
}

async function get(url: string, permit: Permit, resolve?: Resolve): Promise<string> {
  const agent = openOutbound(permit, resolve);
  try {
    const { body } = await request(url, { dispatcher: agent });
    return await body.text();
  } finally {
    await agent.destroy();
  }
}

test.each(['127.0.0.1', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '[::ffff:127.0.0.1]', '[::1]', 'localhost'])(
  'does not call the loopback address written as %s',
  async (host) => {
    await expect(get(`http://${host}:${server.port}/`, parsePermit([]))).rejects.toThrow('whose address is loopback');
    expect(server.requests).toEqual([]);
  },
);

test('calls what is permitted, by name and by address', async () => {
  expect(await get(`http://localhost:${server.port}/`, parsePermit(['localhost']))).toBe('hello');
  expect(await get(`http://127.0.0.1:${server.port}/`, parsePermit(['127.0.0.0/8']))).toBe('hello');
});

test('connects to the permitted ones among the addresses of a name', async () => {
  const resolve = answering(['10.255.255.1', '169.254.169.254', '127.0.0.1']);
  expect(await get(`http://mixed.test:${server.port}/`, parsePermit(['127.0.0.1']), resolve)).toBe('hello');
});

test('a name that resolves to a private address only after a first, harmless answer is refused (DNS rebinding)', async () => {
  await server.stop();
  server = await serve((_request, response) =>
    response.writeHead(302, { location: '/secret', connection: 'close' }).end(),
  );
  const resolve = answering(['127.0.0.1'], ['10.0.0.5']);
  const url = new URL(`http://rebind.test:${server.port}/`);
  const { signal } = new AbortController();
  await expect(download(url, { permit: parsePermit(['127.0.0.1']), signal, maxBytes: 100, resolve })).rejects.toThrow(
    'expected a host with a public address, got rebind.test, whose address is private',
  );
  expect(server.requests).toEqual(['GET /']);
});

test('a download ends its connection', async () => {
  const { signal } = new AbortController();
  const url = new URL(server.origin);
  const { stream } = await download(url, { permit: parsePermit(['true']), signal, maxBytes: 100 });
  expect(await text(stream)).toBe('hello');
  // Returns only when no connection is left.
  await server.stop();
});
