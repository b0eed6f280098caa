import { queueOf } from '@spillway/contracts';
import { decodeTime } from 'ulid';
import { createIds } from '../src/producer/ids.ts';

test('an id names its queue and its time, and no two are equal', () => {
  const newId = createIds();
  const now = Date.now();
  const ids = Array.from({ length: 2000 }, (_, index) => newId('images', now + (index >> 8)));
  expect(new Set(ids).size).toBe(ids.length);
  for (const [index, id] of ids.entries()) {
    expect(queueOf(id)).toBe('images');
    expect(decodeTime(id.slice('images.'.length))).toBe(now + (index >> 8));
  }
});

test('every place of the random part takes every letter', () => {
  const newId = createIds();
  const seen = Array.from({ length: 16 }, () => new Set<string>());
  for (let n = 0; n < 2000; n += 1)
    for (const [place, letter] of [...newId('q', 1).slice(-16)].entries()) seen[place]!.add(letter);
  expect(seen.map(({ size }) => size)).toEqual(Array(16).fill(32));
});
