/**
 * Checked by tsc with the tests, never run: the types of `run` follow from the schemas. Each `@ts-expect-error` fails the
 * check when its line is accepted.
 */
import { Type } from '@spillway/schema';
import { z } from 'zod';
import { defineJob, FileRef, type Infer, type JobContext } from '../src/index.ts';

/** Compiles only where both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_proof: Same<A, B>): void {}

const Sizes = Type.Object({
  source: FileRef(),
  widths: Type.Array(Type.Integer()),
  fit: Type.Enum(['cover', 'fill']),
  title: Type.Optional(Type.String()),
});
type Sizes = { source: string; widths: number[]; fit: 'cover' | 'fill'; title?: string };

/** TypeBox: input and result. */
const typebox = defineJob({
  type: 'test.typebox',
  input: Sizes,
  output: Type.Object({ bytes: Type.Integer() }),
  examples: [{ source: 'path:a.jpg', widths: [320], fit: 'cover' }],
  async run(context) {
    same<typeof context, JobContext<Sizes>>(true);
    same<typeof context.input, Sizes>(true);
    // @ts-expect-error a field that the schema lacks
    context.input.height;
    // @ts-expect-error a choice that the schema lacks
    context.input.fit === 'stretch';
    return { bytes: context.input.widths.length };
  },
});
same<Infer<(typeof typebox)['input']>, Sizes>(true);
same<ReturnType<(typeof typebox)['run']>, Promise<{ bytes: number }> | { bytes: number }>(true);

/** zod: what the handler gets is the output of the schema, defaults and transforms applied. */
const zod = defineJob({
  type: 'test.zod',
  input: z.object({
    steps: z.int().default(5),
    when: z.iso.datetime().transform((text) => new Date(text)),
    note: z.string().optional(),
  }),
  output: z.object({ done: z.boolean() }),
  run({ input }) {
    same<typeof input, { steps: number; when: Date; note?: string | undefined }>(true);
    // @ts-expect-error an optional field may be missing
    input.note.length;
    return { done: input.when.getTime() > 0 };
  },
});
same<Infer<(typeof zod)['output'] & object>, { done: boolean }>(true);

/** Without an output schema anything may be returned. */
defineJob({ type: 'test.nothing', input: Type.Object({}), run: () => undefined });
defineJob({ type: 'test.free', input: Type.Object({}), run: async () => ({ whatever: [1] }) });

defineJob({
  type: 'test.wrong-result',
  input: Type.Object({}),
  output: Type.Object({ bytes: Type.Integer() }),
  // @ts-expect-error a result of another shape
  run: () => ({ bytes: 'many' }),
});

defineJob({
  type: 'test.wrong-zod-result',
  input: z.object({}),
  output: z.object({ done: z.boolean() }),
  // @ts-expect-error a promise of another shape
  run: async () => ({ done: 'yes' }),
});

defineJob({
  type: 'test.no-result',
  input: Type.Object({}),
  output: Type.Object({ bytes: Type.Integer() }),
  // @ts-expect-error nothing where a result is promised
  run: async () => undefined,
});

defineJob({
  type: 'test.wrong-example',
  input: Type.Object({ n: Type.Integer() }),
  // @ts-expect-error an example that does not fit the input
  examples: [{ n: 'one' }],
  run: () => null,
});

// @ts-expect-error a schema is needed
defineJob({ type: 'test.no-input', run: () => null });

// @ts-expect-error a type is needed
defineJob({ input: Type.Object({}), run: () => null });

// @ts-expect-error a handler is needed
defineJob({ type: 'test.no-run', input: Type.Object({}) });

defineJob({
  type: 'test.wrong-backoff',
  input: Type.Object({}),
  // @ts-expect-error only fixed and exponential are known
  backoff: { type: 'linear', delayMs: 1 },
  run: () => null,
});

defineJob({
  type: 'test.context',
  input: Type.Unknown(),
  run({ progress, log, output, signal, files, logger, attempt }) {
    progress(0.5, 'half');
    log('a line');
    output({ any: 'value' });
    logger.info({ attempt, aborted: signal.aborted }, 'a sentence');
    void files;
    // @ts-expect-error a fraction is a number
    progress('half');
    // @ts-expect-error a log line is text
    log({ line: 1 });
  },
});

/** Several jobs at once: each has its own input, and each a place for its result or its error. */
defineJob({
  type: 'test.batch',
  input: Type.Object({ to: Type.String() }),
  output: Type.Object({ bytes: Type.Integer() }),
  batch: { size: 10, waitMs: 50 },
  async runMany({ jobs, signal }) {
    same<(typeof jobs)[number], JobContext<{ to: string }>>(true);
    signal.throwIfAborted();
    return jobs.map(({ input }) => (input.to ? { bytes: 1 } : new Error('nobody to send it to')));
  },
});

defineJob({
  type: 'test.wrong-batch-result',
  input: Type.Object({}),
  output: Type.Object({ bytes: Type.Integer() }),
  batch: { size: 10, waitMs: 50 },
  // @ts-expect-error a result of another shape
  runMany: ({ jobs }) => jobs.map(() => ({ bytes: 'many' })),
});

// @ts-expect-error no isolate beside batch
defineJob({
  type: 'test.isolated-batch',
  input: Type.Object({}),
  batch: { size: 2, waitMs: 0 },
  isolate: 'thread',
  runMany: () => [],
});
