import { advanceCursor, type Cursor, formatCursor, type JobEvent, parseCursor } from '@spillway/contracts';

test.each<[Cursor, string]>([
  [{ pos: '0-0', log: 0, output: 0 }, '0-0~0~0'],
  [{ pos: '1795388407114-12', log: 7, output: 3 }, '1795388407114-12~7~3'],
  [{ pos: '1-0', log: 1, output: 2, epoch: 'a1b2' }, '1-0~1~2~a1b2'],
  [{ pos: '1-0', log: 1, output: 2, epoch: 'a~b c/é%' }, '1-0~1~2~a~b%20c%2F%C3%A9%25'],
])('the cursor %j is written as %s and read again', (cursor, text) => {
  expect(formatCursor(cursor)).toBe(text);
  expect(parseCursor(text)).toEqual(cursor);
});

test.each([
  '',
  '1-0',
  '1-0~1',
  '1~1~1',
  '1-0~-1~0',
  '1-0~1.5~0',
  '1-0~0x1~0',
  '1-0~9999999999999999~0',
  '1-0~0~0~',
  '1-0~0~0~%',
  `1-0~0~0~${'x'.repeat(65)}`,
  ' 1-0~0~0',
  '1-0~0~0\n',
  '123456789012345678901-0~0~0',
])('the text %j is no cursor', (text) => {
  expect(parseCursor(text)).toBeUndefined();
});

const held: Cursor = { pos: '5-0', log: 2, output: 1, epoch: 'e' };
const at = (pos: string) => ({ job: 'j', at: 0, pos });

test.each<[string, JobEvent, Cursor]>([
  ['a state moves the position', { ...at('6-0'), kind: 'state', state: 'active' }, { ...held, pos: '6-0' }],
  ['a removal moves the position', { ...at('6-0'), kind: 'removed' }, { ...held, pos: '6-0' }],
  ['progress alone moves no number', { ...at('6-0'), kind: 'report' }, { ...held, pos: '6-0' }],
  [
    'a report moves the numbers behind its last line and chunk',
    {
      ...at('6-0'),
      kind: 'report',
      log: [
        { n: 2, line: 'a' },
        { n: 3, line: 'b' },
      ],
      output: [{ n: 1, chunk: 0 }],
    },
    { pos: '6-0', log: 4, output: 2, epoch: 'e' },
  ],
  [
    'lines that are held already move no number',
    { ...at('6-0'), kind: 'report', log: [{ n: 0, line: 'a' }] },
    { ...held, pos: '6-0' },
  ],
])('%s', (_name, event, expected) => {
  expect(advanceCursor(held, event)).toEqual(expected);
});

test.each(['4-9', '5-0'])('an event at %s, before where the watcher stands, moves nothing', (pos) => {
  expect(advanceCursor(held, { ...at(pos), kind: 'report', log: [{ n: 9, line: 'x' }] })).toBe(held);
});
