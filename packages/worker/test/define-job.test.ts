import { Type } from '@spillway/schema';
import { z } from 'zod';
import { isDefinedJob } from '../src/define-job.ts';
import { type DefinedJob, defineJob, type JobDefinition, type Schema } from '../src/index.ts';
import { DEFAULT_TIMEOUT_MS, loadJob } from '../src/job-type.ts';

const GOOD: JobDefinition<Schema, Schema> = { type: 'test.work', input: Type.Object({}), run: () => null };

describe('a definition', () => {
  test('is what was written, on the queue default where it names none', () => {
    expect(defineJob(GOOD)).toMatchObject({ ...GOOD, queue: 'default' });
    expect(defineJob({ ...GOOD, queue: 'images' }).queue).toBe('images');
  });

  test.each<[string, unknown, string]>([
    [
      'type',
      undefined,
      'defineJob: expected type to be lower-case words joined by dots, e.g. image.variants (at most 64 characters), got undefined',
    ],
    ['type', 'Image Variants', 'got "Image Variants"'],
    ['type', 'a:b', 'got "a:b"'],
    ['type', 'a'.repeat(65), 'at most 64 characters'],
    [
      'queue',
      'my.queue',
      'defineJob: expected queue to be lower-case words joined by dashes, e.g. images (at most 64 characters), got "my.queue"',
    ],
    ['queue', '', 'got ""'],
    ['queue', null, 'got null'],
    ['input', undefined, 'test.work: expected input to be a TypeBox or zod schema, got undefined'],
    ['input', 'string', 'test.work: expected input to be a TypeBox or zod schema, got string'],
    ['output', null, 'test.work: expected output to be a TypeBox or zod schema, got null'],
    ['run', undefined, 'test.work: expected run to be a function, got undefined'],
    ['run', {}, 'test.work: expected run to be a function, got object'],
    ['concurrency', 0, 'test.work: expected concurrency to be a whole number from 1 on, got 0'],
    ['cancelGraceMs', -1, 'test.work: expected cancelGraceMs to be a whole number from 0 to 600000, got -1'],
    ['cancelGraceMs', 600_001, 'test.work: expected cancelGraceMs to be a whole number from 0 to 600000, got 600001'],
    ['concurrency', 1.5, 'test.work: expected concurrency to be a whole number from 1 on, got 1.5'],
  ])('with %s %j is refused', (field, value, message) => {
    const wrong = { ...GOOD, [field]: value } as typeof GOOD;
    expect(() => defineJob(wrong)).toThrow(TypeError);
    expect(() => defineJob(wrong)).toThrow(message);
  });

  test('is told from everything else that a module may export', () => {
    expect(isDefinedJob(defineJob(GOOD))).toBe(true);
    for (const other of [GOOD, undefined, null, 'job', () => 1, {}]) expect(isDefinedJob(other)).toBe(false);
  });
});

/** Loads a definition as a worker does. */
function load(over: Partial<JobDefinition<Schema, Schema>>) {
  return loadJob(defineJob({ ...GOOD, ...over }) as unknown as DefinedJob);
}

describe('what is published of a type', () => {
  test('is all that a submitter needs, and survives JSON', () => {
    const input = Type.Object({ n: Type.Integer() });
    const about = { title: 'Work', description: 'Works.', examples: [{ n: 1 }] };
    const defaults = { attempts: 3, timeoutMs: 1000, priority: 5, backoff: { type: 'fixed' as const, delayMs: 10 } };
    const { published } = load({ ...about, ...defaults, queue: 'images', input, output: Type.Integer() });
    expect(JSON.parse(JSON.stringify(published))).toEqual({
      type: 'test.work',
      queue: 'images',
      ...about,
      input: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
      output: { type: 'integer' },
      defaults,
    });
  });

  test('leaves out what was not said', () => {
    const { published } = load({});
    expect(JSON.parse(JSON.stringify(published))).toEqual({
      type: 'test.work',
      queue: 'default',
      input: { type: 'object', properties: {} },
      defaults: {},
    });
    expect(load({}).timeoutMs).toBe(DEFAULT_TIMEOUT_MS);
  });

  const item = { fit: Type.String({ default: 'cover' }), width: Type.Integer() };

  test.each<[string, Schema, Record<string, unknown>]>([
    ['a field', Type.Object(item), { required: ['width'] }],
    ['a field of a field', Type.Object({ size: Type.Object(item) }), { properties: { size: { required: ['width'] } } }],
    ['a field of an item', Type.Array(Type.Object(item)), { items: { required: ['width'] } }],
    ['a field of an intersection', Type.Intersect([Type.Object(item)]), { allOf: [{ required: ['width'] }] }],
    ['a field by zod', z.object({ fit: z.string().default('cover'), width: z.int() }), { required: ['width'] }],
    ["an item's field by zod", z.array(z.object({ fit: z.string().default('') })), { items: { type: 'object' } }],
  ])('does not ask for %s that has a default', (_where, input, expected) => {
    expect(load({ input }).published.input).toMatchObject(expected);
  });

  test('asks for a field with a default inside a union, where no default is filled in', () => {
    const { published } = load({ input: Type.Union([Type.Object(item), Type.Null()]) });
    expect(published.input).toMatchObject({ anyOf: [{ required: ['fit', 'width'] }, {}] });
  });

  test('is the JSON Schema of what may be submitted, also where zod transforms it', () => {
    const input = z.object({ when: z.iso.datetime().transform((text) => new Date(text)) });
    expect(load({ input }).published.input).toMatchObject({
      properties: { when: { type: 'string', format: 'date-time' } },
      required: ['when'],
    });
  });
});

describe('a type that cannot be loaded says why', () => {
  const withoutJsonSchema = { '~standard': { vendor: 'valibot', validate: () => ({ value: 1 }) } } as unknown as Schema;

  test.each<[string, Partial<JobDefinition<Schema, Schema>>, string]>([
    [
      'z.coerce.date()',
      { input: z.object({ when: z.coerce.date() }) },
      'test.work input: this zod schema has no JSON Schema form: Date cannot be represented in JSON Schema',
    ],
    [
      'z.bigint() as output',
      { output: z.bigint() },
      'test.work output: this zod schema has no JSON Schema form: BigInt cannot be represented in JSON Schema',
    ],
    [
      'a schema of a library that has no JSON Schema',
      { input: withoutJsonSchema },
      'test.work input: expected a schema with a JSON Schema form, got valibot without one (zod needs 4.2 or later)',
    ],
    [
      'a schema that is not valid',
      { input: { type: 'strnig' } as Schema },
      'test.work input: expected a valid JSON Schema: ',
    ],
    [
      'a time limit that is no number',
      { timeoutMs: 'long' as unknown as number },
      'test.work: /timeoutMs expected integer, got "long"',
    ],
    ['a time limit of nothing', { timeoutMs: 0 }, 'test.work: /timeoutMs expected >= 1, got 0'],
    ['no attempts', { attempts: 0 }, 'test.work: /attempts expected >= 1, got 0'],
    [
      'an unknown backoff',
      { backoff: { type: 'linear' as 'fixed', delayMs: 1 } },
      'test.work: /backoff/type expected one of "fixed", "exponential", got "linear"',
    ],
  ])('%s', (_what, over, message) => {
    expect(() => load(over)).toThrow(TypeError);
    expect(() => load(over)).toThrow(message);
  });
});
