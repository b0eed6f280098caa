import { formatId, formatMessage, parseId, type Standing } from '../src/sse-message.ts';

const cursor = { pos: '1795388407114-0', log: 12, output: 3 };

test.each<[Standing, string]>([
  [{ cursor }, '1795388407114-0~12~3'],
  [{ cursor, seen: 'completed' }, 'completed~1795388407114-0~12~3'],
  [{ cursor: { ...cursor, epoch: 'e1' }, seen: 'cancelled' }, 'cancelled~1795388407114-0~12~3~e1'],
])('where a reader stands, %j, is written as %s and read again', (standing, text) => {
  expect(formatId(standing)).toBe(text);
  expect(parseId(text)).toEqual(standing);
});

test.each(['active~1-0~1~1', 'completed', 'completed~', '~1-0~1~1', 'failed~failed~1-0~1~1'])(
  'the text %s says nothing',
  (text) => {
    expect(parseId(text)).toBeUndefined();
  },
);

test('line breaks in the data do not break the message', () => {
  const events = [{ job: 'j', pos: '1-0', at: 0, kind: 'report' as const, log: [{ n: 0, line: 'a\n\ndata: b\r' }] }];
  const lines = formatMessage({ cursor }, { event: 'events', data: events }).split(/\r\n|\r|\n/);
  expect(lines).toHaveLength(5);
  expect(lines.slice(0, 2)).toEqual(['id: 1795388407114-0~12~3', 'event: events']);
  expect(JSON.parse(lines[2]?.slice('data: '.length) ?? '')).toEqual(events);
});
