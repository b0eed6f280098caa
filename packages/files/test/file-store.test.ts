import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { type FileStore, type FileStoreConfig, openFileStore } from '../src/index.ts';
import { type S3Server, startS3Server, TEST_CREDENTIALS } from './s3-server.ts';

const PHOTO = join(__dirname, '../../../docs/examples/photo.jpg');
const CSV = join(__dirname, '../../../docs/examples/penguins.csv');
const MEGABYTE = 1024 * 1024;

/** A place for one test's files, and what is in it. */
interface Place {
  location: string;
  keys: () => Promise<string[]>;
  dispose: () => Promise<void>;
}

async function diskPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-files-'));
  return {
    location: folder,
    keys: async () =>
      (await readdir(folder, { recursive: true, withFileTypes: true })).filter((e) => e.isFile()).map((e) => e.name),
    dispose: () => rm(folder, { recursive: true }),
  };
}

async function s3Place(server: S3Server): Promise<Place> {
  return {
    location: `s3://test-bucket/some/prefix?endpoint=${server.endpoint}&forcePathStyle=true`,
    keys: async () => [...server.objects.keys()],
    dispose: () => server.stop(),
  };
}

/** A compatible service to run against instead of the small one here, e.g. `s3://bucket?endpoint=http://127.0.0.1:9000&forcePathStyle=true`. */
const outside = process.env.SPILLWAY_TEST_S3;
if (!outside) Object.assign(process.env, TEST_CREDENTIALS);

const places: [string, () => Promise<Place>][] = [
  ['on disk', diskPlace],
  ['on S3', async () => (outside ? outsidePlace(outside) : s3Place(await startS3Server()))],
];

function outsidePlace(location: string): Place {
  return { location, keys: async () => [], dispose: async () => undefined };
}

describe.each(places)('a file store %s', (_name, openPlace) => {
  let place: Place;
  const stores: FileStore[] = [];

  function open(config: Partial<FileStoreConfig> = {}): FileStore {
    const store = openFileStore({ location: place.location, ...config });
    stores.push(store);
    return store;
  }

  beforeEach(async () => {
    place = await openPlace();
  });
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await place.dispose();
  });

  test('gives back what was stored, and says what it is', async () => {
    const photo = await readFile(PHOTO);
    const saved = await open().save(Readable.from([photo.subarray(0, 10), photo.subarray(10)]), {
      name: '../../holiday/seeding.jpg',
      contentType: 'image/jpg',
    });
    expect(saved).toEqual({
      id: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}\.jpg$/),
      name: 'seeding.jpg',
      contentType: 'image/jpeg',
      sizeBytes: photo.length,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
    const other = open();
    expect(await other.stat(saved.id)).toEqual(saved);
    expect(photo.equals(await buffer(await other.open(saved.id)))).toBe(true);
  });

  test('stores a file of several parts from a stream, whole', async () => {
    const store = open();
    const lines = Readable.from(generateLines(13 * MEGABYTE));
    const saved = await store.save(lines, { name: 'numbers.csv' });
    expect(saved.contentType).toBe('text/csv');
    let size = 0;
    for await (const chunk of await store.open(saved.id)) size += (chunk as Buffer).length;
    expect(size).toBe(saved.sizeBytes);
    expect(saved.sizeBytes).toBeGreaterThanOrEqual(13 * MEGABYTE);
  });

  test('takes a file of exactly the limit and refuses one byte more, leaving nothing', async () => {
    const store = open({ maxBytes: 10_000 });
    const saved = await store.save(Buffer.alloc(10_000, 'a'), { name: 'a.txt' });
    await store.delete(saved.id);
    const content = Readable.from([Buffer.alloc(6000, 'a'), Buffer.alloc(4001, 'a'), Buffer.alloc(6000, 'a')]);
    await expect(store.save(content, { name: 'a.txt' })).rejects.toMatchObject({
      code: 'body_too_large',
      message: 'Expected a file of at most 10000 bytes, got more.',
    });
    expect(content.destroyed).toBe(true);
    expect(await place.keys()).toEqual([]);
  });

  test('refuses content that is not what was declared, leaving nothing', async () => {
    const content = Readable.from([await readFile(CSV)]);
    await expect(open().save(content, { name: 'photo.jpg', contentType: 'image/jpeg' })).rejects.toMatchObject({
      code: 'unsupported_media_type',
      message: 'Expected image/jpeg, as declared, got text.',
    });
    expect(content.destroyed).toBe(true);
    expect(await place.keys()).toEqual([]);
  });

  test('refuses a type that is not allowed, and takes it where the configuration says so', async () => {
    const elf = Buffer.concat([Buffer.from('7f454c46020101', 'hex'), Buffer.alloc(100)]);
    await expect(open().save(elf, { name: 'tool' })).rejects.toMatchObject({ code: 'unsupported_media_type' });
    expect((await open({ allowedTypes: ['application/*'] }).save(elf, { name: 'tool' })).contentType).toBe(
      'application/x-elf',
    );
  });

  test('passes on what the content fails with, leaving nothing', async () => {
    const lost = new Error('the sender went away');
    const content = Readable.from(
      (async function* () {
        yield* generateLines(12 * MEGABYTE);
        throw lost;
      })(),
    );
    await expect(open().save(content, { name: 'numbers.csv' })).rejects.toBe(lost);
    expect(await place.keys()).toEqual([]);
  });

  test('says of a deleted file, an unknown id and a text that is no id that there is no such file', async () => {
    const store = open();
    const { id } = await store.save(Buffer.from('{}'), { name: 'a.json' });
    await store.delete(id);
    await store.delete(id);
    for (const text of [id, '01JD0000000000000000000000.jpg', '../../etc/passwd', 'a/../b.jpg', '', `${id}.json`]) {
      await expect(store.stat(text)).rejects.toMatchObject({ code: 'file_not_found' });
      await expect(store.open(text)).rejects.toMatchObject({ code: 'file_not_found' });
    }
    await expect(store.delete('../../etc/passwd')).rejects.toMatchObject({ code: 'file_not_found' });
  });
});

test('a file whose record is missing or cut off cannot be read', async () => {
  const place = await diskPlace();
  const store = openFileStore({ location: place.location });
  const { id } = await store.save(Buffer.from('hello'), { name: 'a.txt' });
  const record = join(place.location, id.slice(0, 5), `${id}.json`);
  const whole = await readFile(record, 'utf8');
  for (const part of ['', whole.slice(0, -5)]) {
    await writeFile(record, part);
    await expect(store.open(id)).rejects.toMatchObject({ code: 'file_not_found' });
  }
  await writeFile(record, whole);
  expect(await text(await store.open(id))).toBe('hello');
  await place.dispose();
});

test('an upload to S3 that fails midway is aborted there', async () => {
  Object.assign(process.env, TEST_CREDENTIALS);
  const server = await startS3Server();
  const place = await s3Place(server);
  const store = openFileStore({ location: place.location, maxBytes: 12 * MEGABYTE });
  const content = Readable.from(generateLines(30 * MEGABYTE));
  await expect(store.save(content, { name: 'numbers.csv' })).rejects.toMatchObject({ code: 'body_too_large' });
  expect(server.aborted).toHaveLength(1);
  expect(server.uploads.size).toBe(0);
  expect(server.objects.size).toBe(0);
  await store.close();
  await server.stop();
});

test('a store that cannot be reached or written says so', async () => {
  Object.assign(process.env, TEST_CREDENTIALS, { AWS_MAX_ATTEMPTS: '1' });
  const store = openFileStore({ location: 's3://test-bucket?endpoint=http://127.0.0.1:1&forcePathStyle=true' });
  const expected = { code: 'unavailable', message: expect.stringContaining('The file store could not') };
  await expect(store.save(Buffer.from('hello'), { name: 'a.txt' })).rejects.toMatchObject(expected);
  await expect(store.stat('01JD0000000000000000000000.jpg')).rejects.toMatchObject(expected);
  await store.close();
  const onFile = openFileStore({ location: PHOTO });
  await expect(onFile.save(Buffer.from('hello'), { name: 'a.txt' })).rejects.toMatchObject(expected);
});

function* generateLines(sizeBytes: number): Generator<Buffer> {
  const line = Buffer.from('12345,67890,some text in a cell\n'.repeat(2000));
  for (let size = 0; size < sizeBytes; size += line.length) yield line;
}
