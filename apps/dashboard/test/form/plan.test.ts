import { type Field, type JsonSchema, planForm } from '../../src/form/plan.ts';

/** The plan of a single property. */
function planOf(property: JsonSchema, over: JsonSchema = {}): Field {
  const form = planForm({ type: 'object', properties: { it: property }, ...over });
  if (form.kind !== 'group' || !form.fields[0]) throw new Error(`expected a form with a field, got ${form.kind}`);
  return form.fields[0];
}

test.each<[string, JsonSchema, object]>([
  ['a text', { type: 'string' }, { kind: 'text', input: 'text', multiline: false }],
  ['a long text', { type: 'string', maxLength: 5000 }, { kind: 'text', multiline: true }],
  ['a long text of a certain form', { type: 'string', maxLength: 2048, pattern: '^https:' }, { multiline: false }],
  ['an address', { type: 'string', format: 'uri' }, { kind: 'text', input: 'url' }],
  ['a secret', { type: 'string', 'x-control': 'password' }, { kind: 'text', input: 'password' }],
  ['a file', { type: 'string', 'x-control': 'file' }, { kind: 'file' }],
  [
    'an integer',
    { type: 'integer', minimum: 1, maximum: 9 },
    { kind: 'number', integer: true, minimum: 1, maximum: 9 },
  ],
  ['a number', { type: 'number' }, { kind: 'number', integer: false }],
  ['a switch', { type: 'boolean', default: false }, { kind: 'boolean' }],
  ['a question that may stay open', { type: 'boolean' }, { kind: 'choice', choices: [true, false] }],
  ['a choice', { enum: ['a', 2] }, { kind: 'choice', choices: ['a', 2] }],
  ['a union of constants', { anyOf: [{ const: 'a' }, { const: 'b' }] }, { kind: 'choice', choices: ['a', 'b'] }],
  ['a value or null', { type: ['integer', 'null'] }, { kind: 'number' }],
  ['a value or null, written as a union', { anyOf: [{ type: 'string' }, { type: 'null' }] }, { kind: 'text' }],
  [
    'a list',
    { type: 'array', items: { type: 'integer' }, maxItems: 3 },
    { kind: 'list', most: 3, item: { kind: 'number' } },
  ],
  [
    'a set of choices',
    { type: 'array', items: { enum: ['x', 'y'] }, uniqueItems: true },
    { kind: 'choices', choices: ['x', 'y'] },
  ],
  [
    'a group',
    { type: 'object', properties: { a: { type: 'string' } } },
    { kind: 'group', fields: [{ pointer: '/it/a' }] },
  ],
])('%s has its control', (_what, schema, expected) => {
  expect(planOf(schema)).toMatchObject(expected);
});

test.each<[string, JsonSchema]>([
  ['a list of objects', { type: 'array', items: { type: 'object', properties: { a: {} } } }],
  ['a map', { type: 'object', additionalProperties: { type: 'string' } }],
  ['a union of shapes', { oneOf: [{ type: 'string' }, { type: 'integer' }] }],
  ['a condition', { type: 'object', properties: { a: {} }, if: {}, else: false }],
  ['anything', {}],
  ['a reference that leads nowhere', { $ref: '#/$defs/missing' }],
])('%s is edited as JSON', (_what, schema) => {
  expect(planOf(schema).kind).toBe('json');
});

test('references are followed, also those that lead back to where they are', () => {
  const node = { type: 'object', properties: { name: { type: 'string' }, child: { $ref: '#/$defs/node' } } };
  expect(planOf({ $ref: '#/$defs/node' }, { $defs: { node } })).toMatchObject({
    kind: 'group',
    fields: [{ kind: 'text' }, { kind: 'group' }],
  });
});

test('a field keeps its name, words, default and whether it is required', () => {
  const field = planOf({ type: 'string', title: 'Photo', description: 'a file', default: 'x' }, { required: ['it'] });
  expect(field).toMatchObject({ name: 'it', title: 'Photo', description: 'a file', fallback: 'x', required: true });
});

test('a name with a slash is escaped in the pointer', () => {
  expect(planForm({ type: 'object', properties: { 'a/b~c': {} } })).toMatchObject({
    fields: [{ pointer: '/a~1b~0c' }],
  });
});
