import { findJsonFault } from '../src/json-fault.ts';

test.each(['{}', ' [1, -2.5e+3, "a\\u00e9\\n", true, false, null, {"a": {"b": []}}] ', '"text"', '0'])(
  'finds nothing wrong with %s',
  (text) => {
    expect(findJsonFault(text)).toBeUndefined();
    expect(() => JSON.parse(text)).not.toThrow();
  },
);

test.each([
  ['', 0, 'a JSON value'],
  ['nope', 0, 'a JSON value'],
  ['{"a": 1,}', 8, 'a name in double quotes'],
  ["{'a': 1}", 1, 'a name in double quotes'],
  ['{"a" 1}', 5, '":"'],
  ['{"a": }', 6, 'a value after ":"'],
  ['{"a": 1', 7, '"," or "}"'],
  ['[1 2]', 3, '"," or "]"'],
  ['[1,', 3, 'a value or "]"'],
  ['{"a": "b\n"}', 8, 'the closing double quote of a string'],
  ['"\\x"', 1, 'the closing double quote of a string'],
  ['01', 1, 'the end of the text'],
  ['{} {}', 3, 'the end of the text'],
])('finds the fault in %j', (text, offset, expected) => {
  expect(findJsonFault(text)).toEqual({ offset, expected });
  expect(() => JSON.parse(text)).toThrow(SyntaxError);
});
