import { type Line, readLines } from '../../src/routes/batches/lines.ts';

async function* from(pieces: readonly string[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

async function collect(pieces: readonly string[], maxBytes = 100): Promise<[number, string | undefined][]> {
  const lines: Line[] = [];
  for await (const some of readLines(from(pieces), maxBytes)) lines.push(...some);
  return lines.map(({ number, bytes }) => [number, bytes?.toString()]);
}

test.each<[string, string[], [number, string | undefined][]]>([
  ['nothing', [], []],
  ['one line without an end', ['{"a":1}'], [[1, '{"a":1}']]],
  [
    'lines in one piece',
    ['a\nb\n'],
    [
      [1, 'a'],
      [2, 'b'],
    ],
  ],
  [
    'a line in many pieces',
    ['a', 'b', 'c\nd'],
    [
      [1, 'abc'],
      [2, 'd'],
    ],
  ],
  [
    'blank lines, which count',
    ['a\n\n  \r\nb\n\n'],
    [
      [1, 'a'],
      [4, 'b'],
    ],
  ],
  ['a character that two pieces share', ['ä', '\n'], [[1, 'ä']]],
])('a stream of %s', async (_what, pieces, lines) => {
  expect(await collect(pieces)).toEqual(lines);
});

test('a line that is too long is told without its bytes, wherever it breaks, and the next one is read', async () => {
  expect(await collect(['a\n', 'x'.repeat(6), 'x'.repeat(6), '\nb\n', 'y'.repeat(11)], 10)).toEqual([
    [1, 'a'],
    [2, undefined],
    [3, 'b'],
    [4, undefined],
  ]);
});

test('the next piece is asked for only once the lines of the one before are done with', async () => {
  let asked = 0;
  let done = 0;
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let index = 0; index < 50; index += 1) {
      asked += 1;
      expect(asked - done).toBe(1);
      yield Buffer.from('1\n2\n3\n');
    }
  }
  for await (const lines of readLines(pieces(), 10)) {
    expect(lines).toHaveLength(3);
    await new Promise(setImmediate);
    done += 1;
  }
  expect(done).toBe(50);
});
