import type { Snapshot } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import { createMetrics } from '../src/metrics.ts';
import { queueSnapshots } from '../src/snapshot-queue.ts';

const AT_A_TIME = 64;

/** A reader that answers when it is told to. */
function slowReader() {
  const asked: { job: string; answer: (snapshot: Snapshot) => void; fail: (error: Error) => void }[] = [];
  const snapshot = (job: string) =>
    new Promise<Snapshot>((answer, fail) => {
      asked.push({ job, answer, fail });
    });
  return { asked, reader: queueSnapshots({ snapshot } as unknown as Reader, createMetrics()) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const of = (id: string) => ({ job: { id } }) as Snapshot;

test('at most 64 snapshots are read at a time; the others follow as these are answered or fail', async () => {
  const { asked, reader } = slowReader();
  const answers = Array.from({ length: 100 }, (_, n) => reader.snapshot(`job${n}`));
  await turn();
  expect(asked).toHaveLength(AT_A_TIME);
  asked[0]?.answer(of('job0'));
  asked[1]?.fail(new Error('gone'));
  await expect(answers[1]).rejects.toThrow('gone');
  await turn();
  expect(asked).toHaveLength(AT_A_TIME + 2);
  for (let n = 2; n < 100; n += 1) {
    asked[n]?.answer(of(`job${n}`));
    await turn();
  }
  expect((await Promise.all([answers[0], ...answers.slice(2)])).at(-1)).toEqual(of('job99'));
});

test('equal questions that still wait share one answer; one that was sent already is not shared', async () => {
  const { asked, reader } = slowReader();
  const first = reader.snapshot('same');
  for (let n = 1; n < AT_A_TIME; n += 1) void reader.snapshot(`job${n}`);
  const waiting = [reader.snapshot('same'), reader.snapshot('same')];
  const elsewhere = reader.snapshot('same', { log: 5, output: 0 });
  await turn();
  asked[0]?.answer(of('old'));
  asked[1]?.answer(of('job1'));
  await turn();
  expect(asked.slice(AT_A_TIME).map(({ job }) => job)).toEqual(['same', 'same']);
  asked[AT_A_TIME]?.answer(of('new'));
  asked[AT_A_TIME + 1]?.answer(of('later lines'));
  expect(await Promise.all([first, ...waiting, elsewhere])).toEqual([
    of('old'),
    of('new'),
    of('new'),
    of('later lines'),
  ]);
});
