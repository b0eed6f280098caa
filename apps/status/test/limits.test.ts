import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { SubmitReply } from '@spillway/contracts';
import { call, type ServiceProcess, type Spillway, startService, startSpillway, until } from '@spillway/testkit';
import { figure } from './figures.ts';
import { connect, type Watcher } from './watcher.ts';

let spillway: Spillway;
let job: string;
let bystander: Watcher;
beforeAll(async () => {
  spillway = await startSpillway({ workers: 1 });
  const body = { type: 'demo.noop', input: {}, options: { delayMs: 600_000 } };
  job = (await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', body)).body.id;
  bystander = await connect(spillway.status.url);
  await bystander.watch(job);
});
afterEach(async () => {
  // Whatever one client did, the others are served as before by the same process.
  expect(bystander.socket.connected).toBe(true);
  expect(await bystander.watch(job)).toMatchObject({ results: [{ snapshot: { job: { id: job } } }] });
});
afterAll(async () => {
  bystander.socket.close();
  await spillway[Symbol.asyncDispose]();
});

function status(env: Record<string, string>): Promise<ServiceProcess> {
  return startService('status', { ...spillway.env, ...env });
}

/** What the server answers to an upgrade that it refuses. */
async function refusedUpgrade(url: string, path = '/socket.io/?EIO=4&transport=websocket'): Promise<IncomingMessage> {
  const handshake = request(new URL(path, url), {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    },
  });
  handshake.end();
  const [response] = (await once(handshake, 'response')) as [IncomingMessage];
  response.resume();
  return response;
}

function closed(watcher: Watcher): Promise<number> {
  return new Promise((resolve) => watcher.line.once('close', resolve));
}

test('a message larger than 32 KB closes its connection with 1009', async () => {
  await using watcher = await connect(spillway.status.url);
  const end = closed(watcher);
  watcher.line.send(`42/jobs,["watch",{"targets":[{"job":"${'x'.repeat(33_000)}"}]}]`);
  expect(await end).toBe(1009);
});

test.each([
  'garbage',
  '9',
  '4',
  '4xyz',
  '42/jobs,{"not":"a list"}',
  '42/jobs,[',
  '451-/jobs,["watch",{"_placeholder":true,"num":0}]',
  '42["watch",{}]',
  '40/jobs,"no object"',
])('the malformed packet %j costs its sender the connection, and nobody else anything', async (packet) => {
  await using watcher = await connect(spillway.status.url);
  const end = closed(watcher);
  watcher.line.send(packet);
  // The one that promises binary data is found out by what follows instead.
  watcher.line.send('42/jobs,["unwatch",{}]');
  await end;
});

test('a namespace that does not exist is refused on its own', async () => {
  await using watcher = await connect(spillway.status.url);
  const stray = watcher.socket.io.socket('/__proto__');
  const [error] = (await new Promise((resolve) => stray.once('connect_error', (...args) => resolve(args)))) as [Error];
  expect(error.message).toBe('Invalid namespace');
  expect(await watcher.watch(job)).toMatchObject({ results: [{ snapshot: {} }] });
  stray.close();
});

test.each(['explode', '__proto__', 'constructor', 'error', 'hasOwnProperty'])(
  'the message %s, which means nothing, is told so',
  async (name) => {
    await using watcher = await connect(spillway.status.url);
    expect(await watcher.ask(name, {})).toMatchObject({
      error: { code: 'invalid_request', message: expect.stringContaining('expected one of the messages watch') },
    });
  },
);

test('messages without acknowledgement, without request or with too many arguments harm nobody', async () => {
  await using watcher = await connect(spillway.status.url);
  const socket = watcher.socket as unknown as { emit(name: string, ...args: unknown[]): void };
  for (const name of ['watch', 'unwatch', 'command', 'refresh', 'explode']) {
    socket.emit(name);
    socket.emit(name, null, [], 'x');
  }
  expect(await watcher.ask('watch')).toMatchObject({ error: { code: 'invalid_request' } });
  expect(await watcher.ask('watch', { targets: [{ job }] }, 'more')).toMatchObject({ results: [{ snapshot: {} }] });
});

test('a list of thousands of targets is refused by its length', async () => {
  await using watcher = await connect(spillway.status.url);
  expect(await watcher.ask('watch', { targets: Array(10_000).fill(1) })).toMatchObject({
    error: { code: 'invalid_request', message: '/targets expected at most 200 items, got 10000' },
  });
});

test('names of an object’s own workings are ids like any other', async () => {
  await using watcher = await connect(spillway.status.url);
  const request = JSON.parse('{"targets":[{"job":"__proto__"},{"job":"constructor","__proto__":{"admin":true}}]}');
  expect(await watcher.ask('watch', request)).toMatchObject({
    results: [{ error: { code: 'job_not_found' } }, { error: { code: 'job_not_found' } }],
  });
});

test('an unwatch cannot overtake its watch', async () => {
  await using watcher = await connect(spillway.status.url);
  const body = { type: 'demo.noop', input: {}, options: { delayMs: 60_000 } };
  const { id } = (await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', body)).body;
  await Promise.all([watcher.watch(id), watcher.ask('unwatch', { targets: [{ job: id }] })]);
  expect((await watcher.watch(job)) as object).toHaveProperty('results');
  await call(spillway.url, 'POST', `/v1/jobs/${id}/cancel`);
  // One that comes later by the same way has passed what would have come before it.
  await call(spillway.url, 'GET', `/v1/jobs/${id}?wait=5`);
  await bystander.watch(id);
  expect(watcher.events.filter((event) => event.job === id)).toEqual([]);
});

test('beyond its burst a connection is told to wait, and cut when it goes on', async () => {
  await using watcher = await connect(spillway.status.url);
  const end = closed(watcher);
  const replies: Record<string, unknown>[] = [];
  const answers = Array.from({ length: 250 }, () =>
    watcher.ask('unwatch', { targets: [] }).then((reply) => replies.push(reply)),
  );
  await Promise.all(answers);
  const refused = replies.find((reply) => 'error' in reply);
  expect(refused).toMatchObject({ error: { code: 'rate_limited', retryAfterMs: expect.any(Number) } });
  for (let n = 0; n < 1000; n += 1) watcher.line.send('42/jobs,["unwatch"]');
  await end;
  expect(await figure(spillway.status.url, 'spillway_live_rate_limited_total')).toBeGreaterThan(0);
});

test('a flood of packets that are no messages is cut too', async () => {
  await using watcher = await connect(spillway.status.url);
  const end = closed(watcher);
  for (let n = 0; n < 1000; n += 1) watcher.line.send('40/nowhere,');
  await end;
});

test('a full process refuses with 503 and Retry-After, and takes another when one has left', async () => {
  await using small = await status({ SPILLWAY_STATUS_CONNECTIONS: '2' });
  const first = await connect(small.url);
  await using _second = await connect(small.url);
  const refused = await refusedUpgrade(small.url);
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '5']);
  expect(await figure(small.url, 'spillway_live_refused_total', 'reason="full"')).toBe(1);
  first.socket.close();
  await using third = await until('room for another', () => connect(small.url).catch(() => undefined));
  expect(third.socket.connected).toBe(true);
});

test('a caller has as many connections in one process as the setting says', async () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  await using small = await status({
    SPILLWAY_STATUS_CALLER_CONNECTIONS: '1',
    SPILLWAY_KEYS: `ann:read:${sha256('sw_a')},bob:read:${sha256('sw_b')}`,
  });
  const first = await connect(small.url, { token: 'sw_a' });
  await expect(connect(small.url, { token: 'sw_a' })).rejects.toMatchObject({
    data: { code: 'too_many_connections', status: 429, retryable: true },
  });
  await using bob = await connect(small.url, { token: 'sw_b' });
  expect(bob.socket.connected).toBe(true);
  first.socket.close();
  await using again = await until('its place', () => connect(small.url, { token: 'sw_a' }).catch(() => undefined));
  expect(again.socket.connected).toBe(true);
});

test('how many jobs a connection watches is a setting', async () => {
  await using small = await status({ SPILLWAY_STATUS_WATCHED: '2' });
  await using watcher = await connect(small.url);
  expect(await watcher.watch('a', 'b', 'c')).toMatchObject({
    error: { message: expect.stringContaining('at most 2 watched targets a connection, got 3') },
  });
});

test.each([
  ['/socket.io/?EIO=4&transport=websocket&sid=abc', 400],
  ['/elsewhere', 404],
  ['/socket.io/?EIO=4&transport=polling', 400],
])('an upgrade of %s is refused with %i', async (path, code) => {
  expect((await refusedUpgrade(spillway.status.url, path)).statusCode).toBe(code);
});
