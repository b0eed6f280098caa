import { isNestedTooDeep, JSON_NESTING_MAX } from '@spillway/contracts';

const nested = (levels: number, inside = '') => '[{"a":'.repeat(levels / 2) + (inside || '1') + '}]'.repeat(levels / 2);

test.each<[string, string, boolean]>([
  ['as deep as is allowed', nested(JSON_NESTING_MAX), false],
  ['one array deeper', nested(JSON_NESTING_MAX, '[]'), true],
  ['ten thousand levels', nested(10_000), true],
  ['many side by side', `[${'[],'.repeat(1000)}{}]`, false],
  ['brackets in a text', JSON.stringify('[{'.repeat(1000)), false],
  ['a text that ends behind an escaped quote', `["\\"${'['.repeat(1000)}"]`, false],
  ['a text that ends behind an escaped backslash', `["\\\\",${'['.repeat(1000)}`, true],
  ['a text that never ends', `"${'['.repeat(1000)}`, false],
])('%s is seen for what it is', (_what, json, tooDeep) => {
  expect(isNestedTooDeep(json)).toBe(tooDeep);
});
