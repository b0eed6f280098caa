import { sortFaults } from '../../src/form/complaints.ts';
import { planForm } from '../../src/form/plan.ts';

const FORM = planForm({
  type: 'object',
  properties: {
    steps: { type: 'integer' },
    widths: { type: 'array', items: { type: 'integer' } },
    headers: { type: 'object', additionalProperties: { type: 'string' } },
  },
});

test.each([
  ['at its field', '/input/steps', '/steps', 'Expected better'],
  ['at one item of a list', '/input/widths/2', '/widths/2', 'Expected better'],
  ['at a list as a whole', '/input/widths', '/widths', 'Expected better'],
  ['at the nearest field above', '/input/headers/x-a', '/headers', 'X-a expected better'],
])('a complaint stands %s', (_where, pointer, at, text) => {
  const { at: found, rest } = sortFaults(FORM, [{ pointer, message: `${pointer} expected better` }], '/input');
  expect([...found]).toEqual([[at, [text]]]);
  expect(rest).toEqual([]);
});

test('what no field shows stands above the form', () => {
  const fault = { pointer: '/input/colour', message: '/input/colour is not a known field' };
  expect(sortFaults(FORM, [fault], '/input')).toEqual({ at: new Map(), rest: ['Colour is not a known field'] });
});

test('an input that is edited as a whole takes all complaints', () => {
  const whole = planForm({ type: 'object' });
  const fault = { pointer: '/input/steps', message: '/input/steps expected integer' };
  expect([...sortFaults(whole, [fault], '/input').at]).toEqual([['', ['Steps expected integer']]]);
});

test('what belongs to another form is left to it', () => {
  const faults = [{ pointer: '/options/attempts', message: 'too many' }];
  expect(sortFaults(FORM, faults, '/input')).toEqual({ at: new Map(), rest: [] });
});
