import { createTurns } from '../src/turns.ts';

/** Work that ends when it is told to. */
function makeWork() {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const work = (n: number) => () => {
    begun.push(n);
    return new Promise<number>((resolve) => {
      ends[n] = () => resolve(n);
    });
  };
  return { begun, work, end: (n: number) => ends[n]?.() };
}

afterEach(() => jest.useRealTimers());

const settled = () => new Promise(setImmediate);

test('no more than so many run at once, and the others in the order in which they came', async () => {
  const { begun, work, end } = makeWork();
  const inTurn = createTurns({ atOnce: 2, longestMs: 60_000 });
  const all = [0, 1, 2, 3].map((n) => inTurn(work(n)));
  await settled();
  expect(begun).toEqual([0, 1]);
  end(1);
  await settled();
  expect(begun).toEqual([0, 1, 2]);
  for (const n of [0, 2]) end(n);
  await settled();
  end(3);
  expect(await Promise.all(all)).toEqual([0, 1, 2, 3]);
});

test('work that fails is told so, and its turn is over', async () => {
  const inTurn = createTurns({ atOnce: 1, longestMs: 60_000 });
  await expect(inTurn(() => Promise.reject(new Error('it failed')))).rejects.toThrow('it failed');
  expect(await inTurn(async () => 'the next one')).toBe('the next one');
});

test('work that hangs keeps nobody waiting, and its late end lets nobody in twice', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  const { begun, work, end } = makeWork();
  const inTurn = createTurns({ atOnce: 1, longestMs: 50 });
  const all = [0, 1, 2].map((n) => inTurn(work(n)));
  await settled();
  expect(begun).toEqual([0]);
  jest.advanceTimersByTime(50);
  await settled();
  expect(begun).toEqual([0, 1]);
  end(0);
  await settled();
  expect(begun).toEqual([0, 1]);
  end(1);
  await settled();
  end(2);
  expect(await Promise.all(all)).toEqual([0, 1, 2]);
});
