import { comparePositions } from '@spillway/contracts';

test.each([
  ['0-0', '0-1'],
  ['1-9', '1-10'],
  ['9-5', '10-0'],
  ['1717171717171-9', '1717171717172-0'],
  ['999999999999-0', '1000000000000-0'],
  ['1-9007199254740992', '1-9007199254740993'],
  ['1-18446744073709551614', '1-18446744073709551615'],
])('%s comes before %s', (earlier, later) => {
  expect(comparePositions(earlier, later)).toBeLessThan(0);
  expect(comparePositions(later, earlier)).toBeGreaterThan(0);
  expect(comparePositions(later, later)).toBe(0);
});

test('positions sort in the order in which Redis gave them', () => {
  const inOrder = ['0-1', '9-2', '9-10', '10-0', '10-1', '100-0'];
  expect([...inOrder].reverse().sort(comparePositions)).toEqual(inOrder);
});
