import { availableParallelism } from 'node:os';
import { defineJob, FileRef, Type } from '@spillway/worker';
import { FORMATS } from '../image/formats.ts';
import { readSource } from '../source.ts';

const MAX_BYTES = 100 * 1024 * 1024;

const Variant = Type.Object({
  width: Type.Integer(),
  height: Type.Integer(),
  format: Type.Enum(FORMATS),
  sizeBytes: Type.Integer(),
  url: Type.String(),
  file: FileRef(),
});

export const imageVariants = defineJob({
  type: 'image.variants',
  queue: 'images',
  title: 'Make web sizes of a photo',
  description: 'One photo in, AVIF, WebP and JPEG in the widths of a responsive page out.',
  attempts: 3,
  timeoutMs: 600_000,
  // Encoding uses a whole core, in sharp's own threads; more at once only makes each of them slower.
  concurrency: availableParallelism(),
  input: Type.Object(
    {
      source: FileRef({ title: 'Photo' }),
      widths: Type.Array(Type.Integer({ minimum: 16, maximum: 8192 }), {
        minItems: 1,
        maxItems: 12,
        uniqueItems: true,
        default: [320, 640, 1280],
      }),
      formats: Type.Array(Type.Enum(FORMATS), {
        minItems: 1,
        uniqueItems: true,
        default: ['avif', 'webp', 'jpeg'],
      }),
      quality: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({ variants: Type.Array(Variant) }),
  async run({ input, files, signal, progress, log, output, step }) {
    // Opened with the first photo, as no other job needs sharp.
    const { openPicture, planVariants, saveVariant } = await import('../image/variants.ts');
    const photo = await openPicture(await readSource(input.source, { files, signal, maxBytes: MAX_BYTES }));
    log(`${photo.name}: ${photo.format}, ${photo.width} × ${photo.height}`);
    if (Math.max(...input.widths) > photo.width) log(`no wider than the original: ${photo.width} pixels`);

    const plan = planVariants(photo.width, input.widths, input.formats);
    const variants = [];
    for (const wanted of plan) {
      signal.throwIfAborted();
      progress(variants.length / plan.length, `${wanted.format} at ${wanted.width} pixels`);
      // A variant that was saved is not made again when a worker dies over a later one.
      const variant = await step(`${wanted.format} ${wanted.width}`, async () => {
        const saved = await saveVariant(photo, { ...wanted, quality: input.quality }, files);
        output(saved);
        return saved;
      });
      variants.push(variant);
    }
    progress(1, `${variants.length} variants`);
    return { variants };
  },
});
