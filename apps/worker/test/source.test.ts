import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { UnrecoverableJobError } from '@spillway/worker';
import { parsePermit } from '../src/addresses.ts';
import { openSource, readSource, type SourceNeeds } from '../src/source.ts';
import { serve, temporaryFiles } from './job-context.ts';

let place: Awaited<ReturnType<typeof temporaryFiles>>;
let inside: string;
let needs: SourceNeeds;

beforeEach(async () => {
  place = await temporaryFiles();
  inside = join(place.folder, 'permitted');
  await mkdir(join(inside, 'sub'), { recursive: true });
  await writeFile(join(inside, 'sub', 'a.csv'), 'a,b\n1,2\n');
  await writeFile(join(place.folder, 'secret.txt'), 'secret');
  await symlink(join(place.folder, 'secret.txt'), join(inside, 'link.txt'));
  needs = {
    files: place.files,
    signal: new AbortController().signal,
    maxBytes: 1000,
    settings: { paths: [join(place.folder, 'nowhere'), inside], permit: parsePermit(['127.0.0.1']) },
  };
});
afterEach(() => place.dispose());

test('reads an upload', async () => {
  const { id } = await place.files.save(Buffer.from('a,b\n'), { name: 'x.csv' });
  const source = await openSource(`file:${id}`, needs);
  expect(source).toMatchObject({ name: 'x.csv', sizeBytes: 4 });
  expect(await text(source.stream)).toBe('a,b\n');
});

test('reads a file under a permitted folder by its relative and its absolute path', async () => {
  for (const path of ['sub/a.csv', './sub/../sub/a.csv', join(inside, 'sub/a.csv')]) {
    expect(await readSource(`path:${path}`, needs)).toEqual({ name: 'a.csv', bytes: Buffer.from('a,b\n1,2\n') });
  }
});

test.each(['../secret.txt', 'link.txt', 'sub', 'missing.csv', '/etc/passwd', 'sub/a.csv/x'])(
  'says the same of path:%s, whatever is there',
  async (path) => {
    const refused = openSource(`path:${path}`, needs);
    await expect(refused).rejects.toThrow(
      `expected path:${path} to name a file under one of the folders in SPILLWAY_PATHS, and it does not`,
    );
    await expect(refused).rejects.toBeInstanceOf(UnrecoverableJobError);
  },
);

test('permits no folder where none is set', async () => {
  const closed = { ...needs, settings: { paths: [], permit: parsePermit([]) } };
  await expect(openSource('path:/etc/passwd', closed)).rejects.toThrow('set SPILLWAY_PATHS to the folders');
});

test('refuses what is no reference, is gone, or is too large', async () => {
  await expect(openSource('ftp://host/a', needs)).rejects.toThrow('expected file:<id> of an upload');
  await expect(openSource('file:01JD0000000000000000000000.csv', needs)).rejects.toBeInstanceOf(UnrecoverableJobError);
  const { id } = await place.files.save(Buffer.alloc(1001, 'a'), { name: 'x.txt' });
  await expect(openSource(`file:${id}`, needs)).rejects.toThrow('expected a file of at most 1000 bytes, got 1001');
});

test('downloads a URL, following redirects', async () => {
  const server = await serve((request, response) => {
    if (request.url === '/data/x%20y.csv') response.end('a,b\n');
    else response.writeHead(302, { location: '/data/x%20y.csv' }).end('moved');
  });
  const source = await openSource(`${server.origin}/old`, needs);
  expect(source.name).toBe('x y.csv');
  expect(await text(source.stream)).toBe('a,b\n');
  expect(server.requests).toEqual(['GET /old', 'GET /data/x%20y.csv']);
  await server.stop();
});

test.each([
  ['more redirects than three', 302, { location: '/again' }, 'within 3 redirects, got more', true],
  ['a redirect to a private address', 302, { location: 'http://127.0.0.53/' }, 'whose address is loopback', true],
  ['a redirect to another protocol', 302, { location: 'file:///etc/passwd' }, 'got one that begins with file://', true],
  ['a file that is not there', 404, {}, 'got status 404', true],
  ['a server in trouble', 503, {}, 'got status 503', false],
  ['a file that says it is too large', 200, { 'content-length': '5000' }, 'at most 1000 bytes, got 5000', true],
])('gives up on %s', async (_what, status, headers, message, final) => {
  const server = await serve((_request, response) => response.writeHead(status, headers).end('x'.repeat(5000)));
  const error: unknown = await readSource(`${server.origin}/a`, needs).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: expect.stringContaining(message) });
  expect(error instanceof UnrecoverableJobError).toBe(final);
  await server.stop();
});

test('stops a download that grows beyond the limit, and one that is aborted', async () => {
  const server = await serve((_request, response) => {
    response.writeHead(200);
    response.write('x'.repeat(2000));
  });
  await expect(readSource(`${server.origin}/a`, needs)).rejects.toThrow('at most 1000 bytes, got more');
  const controller = new AbortController();
  const source = await openSource(`${server.origin}/a`, { ...needs, maxBytes: 5000, signal: controller.signal });
  controller.abort(new Error('cancelled'));
  await expect(text(source.stream)).rejects.toThrow();
  await server.stop();
});
