import { canShow, type Fault, firstDraft, toDraft, toValue } from '../../src/form/draft.ts';
import { planForm } from '../../src/form/plan.ts';

const FORM = planForm({
  type: 'object',
  required: ['source', 'steps'],
  properties: {
    source: { type: 'string', 'x-control': 'file' },
    steps: { type: 'integer', default: 5 },
    note: { type: 'string' },
    loud: { type: 'boolean', default: false },
    method: { enum: ['GET', 'POST'], default: 'GET' },
    widths: { type: 'array', items: { type: 'integer' } },
    formats: { type: 'array', items: { enum: ['avif', 'webp'] }, uniqueItems: true },
    auth: { type: 'object', properties: { scheme: { type: 'string', default: 'hmac' }, secret: { type: 'string' } } },
    body: {},
  },
});

function valueFor(draft: Record<string, unknown>): { value: unknown; faults: Fault[] } {
  const faults: Fault[] = [];
  return { value: toValue(FORM, { ...(firstDraft(FORM) as object), ...draft } as never, faults), faults };
}

test('a form that nobody touched is its defaults', () => {
  expect(valueFor({})).toEqual({ value: { steps: 5, loud: false, method: 'GET' }, faults: [] });
});

test('what is typed becomes what it stands for', () => {
  const { value } = valueFor({
    source: 'file:1',
    steps: '12',
    loud: true,
    method: '"POST"',
    widths: ['320', '640', ''],
    formats: ['"webp"'],
    auth: { secret: 's' },
    body: '[1]',
  });
  expect(value).toEqual({
    source: 'file:1',
    steps: 12,
    loud: true,
    method: 'POST',
    widths: [320, 640],
    formats: ['webp'],
    auth: { secret: 's' },
    body: [1],
  });
});

test('text that is no number is sent as it is, for the server to say what it expected', () => {
  expect(valueFor({ steps: 'many', widths: ['', '1'] }).value).toMatchObject({ steps: 'many', widths: ['', 1] });
});

test('a number that was cleared is left out', () => {
  expect(valueFor({ steps: '' }).value).not.toHaveProperty('steps');
});

test('text that is no JSON is a fault at its field', () => {
  expect(valueFor({ body: '{' }).faults).toEqual([{ pointer: '/body', message: expect.any(String) }]);
});

test('every value that the form can show comes out as it went in', () => {
  const value = {
    source: 'file:1',
    steps: 0,
    loud: true,
    widths: [1],
    formats: ['avif'],
    auth: { scheme: 'x' },
    body: null,
  };
  expect(toValue(FORM, toDraft(FORM, value), [])).toEqual(value);
  expect(canShow(FORM, value)).toBe(true);
});

test('a value with more than the form has controls for cannot be shown', () => {
  expect(canShow(FORM, { source: 'x', steps: 1, loud: false, unknown: 1 })).toBe(false);
  expect(canShow(FORM, 'text')).toBe(false);
});
