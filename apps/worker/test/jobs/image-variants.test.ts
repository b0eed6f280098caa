import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { UnrecoverableJobError } from '@spillway/worker';
import sharp from 'sharp';
import { planVariants } from '../../src/image/variants.ts';
import { imageVariants } from '../../src/jobs/image-variants.ts';
import { EXAMPLES, runHandler, temporaryFiles } from '../job-context.ts';

process.env.SPILLWAY_PATHS = EXAMPLES;

let place: Awaited<ReturnType<typeof temporaryFiles>>;
beforeEach(async () => {
  place = await temporaryFiles();
});
afterEach(() => place.dispose());

async function upload(bytes: Buffer, name: string): Promise<string> {
  return `file:${(await place.files.save(bytes, { name })).id}`;
}

test('makes a photo into every format at every width', async () => {
  const source = await upload(await readFile(join(EXAMPLES, 'photo.jpg')), 'photo.jpg');
  const run = await runHandler(imageVariants, { source, widths: [320, 160] }, place);
  expect(run.result.variants.map(({ width, height, format }) => [width, height, format])).toEqual([
    [160, 90, 'avif'],
    [160, 90, 'webp'],
    [160, 90, 'jpeg'],
    [320, 180, 'avif'],
    [320, 180, 'webp'],
    [320, 180, 'jpeg'],
  ]);
  expect(run.output).toEqual(run.result.variants);
  expect(run.log).toEqual(['photo.jpg: jpeg, 2400 × 1350']);
  expect(run.progress.map(({ fraction }) => fraction)).toEqual([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1]);
  for (const { file, url, format, width, sizeBytes } of run.result.variants) {
    const id = file.slice('file:'.length);
    expect(url).toBe(`/v1/files/${id}`);
    expect(await place.files.stat(id)).toMatchObject({
      name: `photo-${width}.${format}`,
      contentType: `image/${format}`,
    });
    const bytes = await buffer(await place.files.open(id));
    expect(bytes).toHaveLength(sizeBytes);
    expect(await sharp(bytes).metadata()).toMatchObject({ width, format: format === 'avif' ? 'heif' : format });
  }
});

test('turns a photo the way it was held, and never enlarges it', async () => {
  const sideways = await sharp({ create: { width: 100, height: 60, channels: 3, background: 'teal' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  const source = await upload(sideways, 'sideways.jpg');
  const { result, log } = await runHandler(
    imageVariants,
    { source, widths: [30, 100, 2000], formats: ['webp'] },
    place,
  );
  expect(result.variants.map(({ width, height }) => [width, height])).toEqual([
    [30, 50],
    [60, 100],
  ]);
  expect(log).toEqual(['sideways.jpg: jpeg, 60 × 100', 'no wider than the original: 60 pixels']);
});

test('puts white behind what a JPEG cannot show, and obeys the quality', async () => {
  const glass = await sharp({
    create: { width: 64, height: 64, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
    .png()
    .toBuffer();
  const { result } = await runHandler(
    imageVariants,
    { source: await upload(glass, 'glass.png'), widths: [16], formats: ['jpeg'], quality: 90 },
    place,
  );
  const stored = await buffer(await place.files.open(result.variants[0]?.file.slice('file:'.length) ?? ''));
  const { dominant } = await sharp(stored).stats();
  expect([dominant.r, dominant.g, dominant.b].every((value) => value > 240)).toBe(true);
});

test('reads a photo from a permitted folder', async () => {
  const { log } = await runHandler(imageVariants, { source: 'path:photo.jpg', widths: [16], formats: ['jpeg'] }, place);
  expect(log[0]).toBe('photo.jpg: jpeg, 2400 × 1350');
});

test('stops between two variants when it is aborted', async () => {
  const controller = new AbortController();
  const setup = {
    files: place.files,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('cancelled')),
  };
  const run = runHandler(imageVariants, { source: 'path:photo.jpg', widths: [16, 32], formats: ['jpeg'] }, setup);
  await expect(run).rejects.toThrow('cancelled');
});

test.each([
  ['a CSV', async () => upload(await readFile(join(EXAMPLES, 'penguins.csv')), 'penguins.csv'), 'got penguins.csv: '],
  [
    'half a photo',
    async () => upload((await readFile(join(EXAMPLES, 'photo.jpg'))).subarray(0, 90_000), 'half.jpg'),
    'expected a photo that can be read, got half.jpg: ',
  ],
  [
    'a drawing',
    async () => upload(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), 'a.txt'),
    'which is svg',
  ],
  [
    'a picture of a billion pixels',
    async () => upload(await hugePicture(), 'bomb.png'),
    'Input image exceeds pixel limit',
  ],
])('gives %s up for good', async (_what, prepare, message) => {
  const run = runHandler(imageVariants, { source: await prepare(), widths: [16], formats: ['jpeg'] }, place);
  const error: unknown = await run.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: expect.stringContaining(message) });
  expect(error).toBeInstanceOf(UnrecoverableJobError);
});

/** A small file that says it is 32,000 pixels wide and high. */
async function hugePicture(): Promise<Buffer> {
  const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  picture.writeUInt32BE(32_000, 16);
  picture.writeUInt32BE(32_000, 20);
  // The header's checksum covers the size, so it is made to fit.
  picture.writeUInt32BE(crc32(picture.subarray(12, 29)), 29);
  return picture;
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

test.each([
  [{ widths: [] }, '/widths expected at least 1 item'],
  [{ widths: [8] }, '/widths/0 expected >= 16, got 8'],
  [{ widths: [100, 100] }, '/widths expected items that are all different'],
  [{ formats: ['bmp'] }, '/formats/0 expected one of "avif"'],
  [{ source: 'photo.jpg' }, '/source expected a file reference: file:<id> of an upload'],
])('refuses the input %j', async (input, message) => {
  await expect(runHandler(imageVariants, { source: 'path:photo.jpg', ...input })).rejects.toThrow(message);
});

test('plans each width once, in every format, none wider than the original', () => {
  expect(planVariants(500, [640, 320, 1280], ['webp', 'jpeg'])).toEqual([
    { width: 320, format: 'webp' },
    { width: 320, format: 'jpeg' },
    { width: 500, format: 'webp' },
    { width: 500, format: 'jpeg' },
  ]);
});
