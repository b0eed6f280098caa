import { checkSchema, compileSchema } from '@spillway/runtime';
import { Type } from '@spillway/schema';
import { z } from 'zod';

const DRAFT_7 = 'http://json-schema.org/draft-07/schema#';

function problemsOf(schema: object, value: unknown): string[] {
  return compileSchema(schema)(value).map(({ message }) => message);
}

describe('a wrong value is answered with what was expected and what came', () => {
  test.each<[object, unknown, string]>([
    [{ type: 'integer' }, 'five', 'the value expected integer, got "five"'],
    [{ type: ['string', 'null'] }, 5, 'the value expected string or null, got 5'],
    [{ type: 'object' }, undefined, 'the value expected object, got nothing'],
    [{ type: 'object' }, null, 'the value expected object, got null'],
    [{ type: 'object' }, [], 'the value expected object, got an empty array'],
    [{ type: 'object' }, [1, 2], 'the value expected object, got an array of 2'],
    [{ type: 'string' }, { a: 1 }, 'the value expected string, got an object'],
    [{ type: 'boolean' }, 'true', 'the value expected boolean, got "true"'],
    [{ enum: ['webp', 'avif', 3] }, 'gif', 'the value expected one of "webp", "avif", 3, got "gif"'],
    [{ const: 'v1' }, 'v2', 'the value expected "v1", got "v2"'],
    [{ minimum: 16 }, 8, 'the value expected >= 16, got 8'],
    [{ maximum: 16 }, 17, 'the value expected <= 16, got 17'],
    [{ exclusiveMinimum: 0 }, 0, 'the value expected > 0, got 0'],
    [{ exclusiveMaximum: 1 }, 1, 'the value expected < 1, got 1'],
    [{ multipleOf: 5 }, 7, 'the value expected a multiple of 5, got 7'],
    [{ minLength: 1 }, '', 'the value expected at least 1 character, got ""'],
    [{ maxLength: 3 }, 'abcd', 'the value expected at most 3 characters, got "abcd"'],
    [{ pattern: '^[a-z]+$' }, 'A1', 'the value expected text that matches ^[a-z]+$, got "A1"'],
    [{ format: 'email' }, 'me', 'the value expected text in the format email, got "me"'],
    [{ format: 'date-time' }, 'today', 'the value expected text in the format date-time, got "today"'],
    [{ minItems: 1 }, [], 'the value expected at least 1 item, got an empty array'],
    [{ maxItems: 2 }, [1, 2, 3], 'the value expected at most 2 items, got an array of 3'],
    [{ uniqueItems: true }, [1, 1], 'the value expected items that are all different, got an array of 2'],
    [{ prefixItems: [{}], items: false }, [1, 2], 'the value expected at most 1 item, got an array of 2'],
    [{ prefixItems: [{}], unevaluatedItems: false }, [1, 2], 'the value expected at most 1 item, got an array of 2'],
    [
      { contains: { const: 5 } },
      [1, 2],
      "the value expected 1 or more items that fit the schema's contains, got an array of 2",
    ],
    [
      { contains: { const: 5 }, minContains: 2, maxContains: 3 },
      [5, 1],
      "the value expected 2 to 3 items that fit the schema's contains, got an array of 2",
    ],
    [{ minProperties: 1 }, {}, 'the value expected at least 1 field, got an empty object'],
    [{ maxProperties: 1 }, { a: 1, b: 2 }, 'the value expected at most 1 field, got an object'],
    [{ required: ['source'] }, {}, '/source is required, got nothing'],
    [{ dependentRequired: { width: ['height'] } }, { width: 1 }, '/height is required beside width, got nothing'],
    [{ properties: { a: {}, b: {} }, additionalProperties: false }, { c: 1 }, '/c is not a known field; expected a, b'],
    [{ additionalProperties: false }, { c: 1 }, '/c is not a known field; expected no fields'],
    [{ properties: { a: {} }, unevaluatedProperties: false }, { c: 1 }, '/c is not a known field; expected a'],
    [
      { propertyNames: { maxLength: 2 } },
      { abc: 1 },
      'the value expected at most 2 characters as a field\'s name, got "abc"',
    ],
    [{ not: { type: 'string' } }, 'a', 'the value expected a value that does not fit the schema\'s not, got "a"'],
    [{ properties: { old: false } }, { old: 1 }, '/old expected nothing here, got 1'],
    [{ anyOf: [{ type: 'string' }, { type: 'null' }] }, 5, 'the value expected string or null, got 5'],
    [
      { oneOf: [{ const: 'a' }, { const: 'b' }, { anyOf: [{ const: 'c' }, { const: 'd' }] }] },
      'e',
      'the value expected "a" or "b" or "c" or "d", got "e"',
    ],
    [
      { oneOf: [{ minimum: 1 }, { minimum: 2 }] },
      3,
      'the value expected a value that fits exactly one of the alternatives, got 3',
    ],
    [{ if: { type: 'number' }, else: { minLength: 2 } }, 'a', 'the value expected at least 2 characters, got "a"'],
    [
      { pattern: '^s3:', 'x-expected': 'an address of a bucket' },
      'x',
      'the value expected an address of a bucket, got "x"',
    ],
  ])('%j against %j', (schema, value, message) => {
    expect(problemsOf(schema, value)).toEqual([message]);
  });

  test.each<[object, unknown, string]>([
    [{ items: [{}], additionalItems: false }, [1, 2], 'the value expected at most 1 item, got an array of 2'],
    [{ dependencies: { width: ['height'] } }, { width: 1 }, '/height is required beside width, got nothing'],
    [{ definitions: { n: { type: 'number' } }, $ref: '#/definitions/n' }, 'x', 'the value expected number, got "x"'],
  ])('also in draft 7: %j against %j', (schema, value, message) => {
    expect(problemsOf({ $schema: DRAFT_7, ...schema }, value)).toEqual([message]);
  });
});

test('a value is shown short, never whole', () => {
  const [message = ''] = problemsOf({ type: 'integer' }, 'secret '.repeat(1000));
  expect(message).toMatch(/^the value expected integer, got string "secret .*…$/);
  expect(message.length).toBeLessThan(120);
});

describe('the pointer', () => {
  const schema = Type.Object({
    sizes: Type.Array(Type.Object({ width: Type.Integer({ minimum: 16 }) })),
    'a/b~c': Type.Optional(Type.String()),
  });

  test.each<[unknown, string]>([
    [{}, '/sizes'],
    [{ sizes: 3 }, '/sizes'],
    [{ sizes: [{ width: 20 }, { width: 8 }] }, '/sizes/1/width'],
    [{ sizes: [{}] }, '/sizes/0/width'],
    [{ sizes: [], 'a/b~c': 1 }, '/a~1b~0c'],
    ['text', ''],
  ])('of what is wrong in %j is %j', (value, pointer) => {
    expect(compileSchema(schema)(value).map((problem) => problem.pointer)).toEqual([pointer]);
  });

  test('of a field with a slash and a tilde in its name is escaped, whatever is wrong with the field', () => {
    const strict = { properties: {}, required: ['a/b'], additionalProperties: false };
    const pointers = compileSchema(strict)({ 'c~d': 1 }).map(({ pointer }) => pointer);
    expect(pointers.sort()).toEqual(['/a~1b', '/c~0d']);
  });
});

describe('several problems', () => {
  test('are all named, each once', () => {
    const schema = Type.Object({ a: Type.Integer(), b: Type.String({ minLength: 2, pattern: '^x' }) });
    expect(problemsOf(Type.Intersect([schema, schema]), { a: 'x', b: 'y' })).toEqual([
      '/a expected integer, got "x"',
      '/b expected at least 2 characters, got "y"',
      '/b expected text that matches ^x, got "y"',
    ]);
  });

  test('of one alternative in a union of objects are named by field, and the union itself is not', () => {
    const byKind = Type.Union([
      Type.Object({ kind: Type.Literal('file'), id: Type.String() }),
      Type.Object({ kind: Type.Literal('file'), id: Type.Integer() }),
    ]);
    expect(problemsOf(byKind, { kind: 'file' })).toEqual(['/id is required, got nothing']);
  });

  test('are twenty at most, also of a list of thousands', () => {
    const wrong = Array.from({ length: 50_000 }, () => 'x');
    expect(problemsOf(Type.Array(Type.Union([Type.Integer(), Type.Null()])), wrong)).toHaveLength(20);
  });
});

describe('nothing is repaired', () => {
  test.each<[object, unknown]>([
    [{ type: 'integer' }, '5'],
    [{ type: 'boolean' }, 1],
    [{ type: 'array' }, 'a'],
    [{ type: 'string' }, null],
  ])('%j does not take %j', (schema, value) => {
    expect(problemsOf(schema, value)).toHaveLength(1);
  });

  test('unless defaults are asked for, which are filled in at every depth', () => {
    const schema = {
      properties: {
        quality: { default: 80 },
        sizes: { items: { properties: { fit: { default: 'cover' } } } },
      },
    };
    const value = { sizes: [{}, { fit: 'fill' }] };
    compileSchema(schema)(value);
    expect(value).toEqual({ sizes: [{}, { fit: 'fill' }] });
    compileSchema(schema, { useDefaults: true })(value);
    expect(value).toEqual({ quality: 80, sizes: [{ fit: 'cover' }, { fit: 'fill' }] });
  });
});

describe("zod's JSON Schema", () => {
  const schema = z
    .object({
      to: z.email(),
      mode: z.enum(['now', 'later']).default('now'),
      note: z.string().max(5).nullable().optional(),
      size: z.union([z.literal('s'), z.literal('m'), z.int().positive()]),
    })
    .strict();
  const published = z.toJSONSchema(schema, { io: 'input' });

  test('takes what fits it', () => {
    expect(problemsOf(published, { to: 'a@b.example', size: 's', note: null })).toEqual([]);
  });

  test.each<[object, string]>([
    [{ to: 'me', size: 's' }, '/to expected text in the format email, got "me"'],
    [{ to: 'a@b.example', size: 'xl' }, '/size expected "s" or "m" or integer, got "xl"'],
    [{ to: 'a@b.example', size: 1, note: 'too long' }, '/note expected at most 5 characters or null, got "too long"'],
    [{ to: 'a@b.example', size: 1, mode: 'soon' }, '/mode expected one of "now", "later", got "soon"'],
    [{ to: 'a@b.example', size: 1, cc: '' }, '/cc is not a known field; expected to, mode, note, size'],
    [{ size: 1 }, '/to is required, got nothing'],
  ])('answers %j in the same words', (value, message) => {
    expect(problemsOf(published, value)).toEqual([message]);
  });

  test('in draft 7 works too', () => {
    const draft7 = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' });
    expect(draft7.$schema).toContain('draft-07');
    expect(problemsOf(draft7, { to: 'me', size: 's' })).toEqual(['/to expected text in the format email, got "me"']);
  });
});

describe('a schema', () => {
  test.each<[object]>([[{ type: 'strnig' }], [{ minimum: 'one' }], [{ pattern: '(' }], [{ $ref: '#/$defs/none' }]])(
    'that is not valid (%j) is refused when it is compiled',
    (schema) => {
      expect(() => compileSchema(schema)).toThrow();
    },
  );

  test.each<[object, string]>([
    [{ required: ['a', 'a'] }, 'data/required must NOT have duplicate items'],
    [{ title: 5 }, 'data/title must be string'],
    [{ $schema: DRAFT_7, title: 5 }, 'data/title must be string'],
  ])('that is not one by its dialect (%j) is refused with what is wrong', (schema, problem) => {
    expect(() => checkSchema(schema)).toThrow(`schema is invalid: ${problem}`);
  });

  test('with a format that nobody knows takes every text, and nothing is printed', () => {
    const printed = jest.spyOn(console, 'warn');
    expect(problemsOf({ format: 'cuid2' }, 'anything')).toEqual([]);
    expect(printed).not.toHaveBeenCalled();
    printed.mockRestore();
  });

  test('with an $id can be compiled twice', () => {
    const schema = { $id: 'Twice', type: 'string' };
    expect([problemsOf(schema, 'a'), problemsOf(schema, 'a')]).toEqual([[], []]);
  });
});
