import { parse } from 'node:path';
import { type FileStore, fileRef, fileUrl } from '@spillway/files';
import { UnrecoverableJobError } from '@spillway/worker';
import sharp, { type AvifOptions, type Sharp } from 'sharp';
import type { Format } from './formats.ts';

/** Formats that are read. Others that libvips knows (SVG, PDF) draw rather than hold pixels. */
const READABLE = new Set(['jpeg', 'png', 'webp', 'heif', 'gif', 'tiff']);
/** A small file can hold a picture of any size; 100 megapixels need about 400 MB while they are worked on. */
const MAX_PIXELS = 100_000_000;

/** sharp's default effort for AVIF is 4, which takes five times as long and saves 5 % of the bytes. */
const ENCODING: Partial<Record<Format, AvifOptions>> = { avif: { effort: 3 } };

export interface Picture {
  name: string;
  bytes: Buffer;
  /** As it is looked at: after its EXIF orientation. */
  width: number;
  height: number;
  format: string;
}

export interface Wanted {
  width: number;
  format: Format;
}

/** @throws UnrecoverableJobError where the bytes are no picture that can be read. */
export async function openPicture({ name, bytes }: { name: string; bytes: Buffer }): Promise<Picture> {
  const { format, autoOrient } = await decoding(name, () => decoder(bytes).metadata());
  if (!READABLE.has(format)) throw new UnrecoverableJobError(`expected a photo, got ${name}, which is ${format}`);
  return { name, bytes, format, width: autoOrient.width, height: autoOrient.height };
}

/** What is made of a picture that is `originalWidth` wide: never wider than the original, and nothing twice. Pure. */
export function planVariants(originalWidth: number, widths: readonly number[], formats: readonly Format[]): Wanted[] {
  const reachable = [...new Set(widths.map((width) => Math.min(width, originalWidth)))].sort((a, b) => a - b);
  return reachable.flatMap((width) => formats.map((format) => ({ width, format })));
}

/** Renders one variant and stores it. @throws UnrecoverableJobError where the picture turns out to be damaged. */
export async function saveVariant(
  picture: Picture,
  { width, format, quality }: Wanted & { quality?: number | undefined },
  files: FileStore,
) {
  const { data, info } = await decoding(picture.name, () =>
    decoder(picture.bytes)
      .autoOrient()
      .resize({ width, withoutEnlargement: true })
      // JPEG has no transparency, and black is what it would show instead.
      .flatten(format === 'jpeg' ? { background: 'white' } : false)
      .toFormat(format, { ...ENCODING[format], ...(quality !== undefined && { quality }) })
      .toBuffer({ resolveWithObject: true }),
  );
  const name = `${parse(picture.name).name}-${width}.${format}`;
  const stored = await files.save(data, { name, contentType: `image/${format}` });
  return {
    width: info.width,
    height: info.height,
    format,
    sizeBytes: stored.sizeBytes,
    url: fileUrl(stored.id),
    file: fileRef(stored.id),
  };
}

function decoder(bytes: Buffer): Sharp {
  // One thread a picture: a worker runs several at once, and together they use all cores.
  sharp.concurrency(1);
  // Not 'warning': many phones write JPEGs that libjpeg warns about and every viewer shows.
  return sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
}

async function decoding<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnrecoverableJobError(`expected a photo that can be read, got ${name}: ${reason}`, { cause });
  }
}
