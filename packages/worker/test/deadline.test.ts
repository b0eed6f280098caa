import { Deadline, EXCEEDED } from '../src/deadline.ts';

const open = () => new AbortController();
const never = new Promise<never>(() => undefined);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test.each([20, 1000, 1001, 60_000])('an attempt ends when its %d ms are over, and no sooner', async (timeoutMs) => {
  const deadline = new Deadline(timeoutMs, open());
  const { signal } = deadline;
  const end = deadline.limit(() => never);
  await jest.advanceTimersByTimeAsync(timeoutMs - 1);
  expect([deadline.hasPassed, signal.aborted]).toEqual([false, false]);
  await jest.advanceTimersByTimeAsync(1);
  expect(await end).toBe(EXCEEDED);
  expect([deadline.hasPassed, signal.aborted]).toEqual([true, true]);
  deadline.clear();
});

test('an attempt that has ended is not timed any more, and nothing stays behind', async () => {
  const deadlines = [10, 5000].map((timeoutMs) => new Deadline(timeoutMs, open()));
  for (const deadline of deadlines) {
    expect(await deadline.limit(async () => 'done')).toBe('done');
    deadline.clear();
  }
  await jest.advanceTimersByTimeAsync(6000);
  expect(deadlines.map(({ hasPassed }) => hasPassed)).toEqual([false, false]);
  expect(jest.getTimerCount()).toBe(0);
});

test('what the handler throws comes through, before its first await and after it', async () => {
  const deadline = new Deadline(5000, open());
  const atOnce = deadline.limit(() => {
    throw new Error('at once');
  });
  await expect(atOnce).rejects.toThrow('at once');
  await expect(deadline.limit(() => Promise.reject(new Error('later')))).rejects.toThrow('later');
  deadline.clear();
});

test('the signal follows that of the lease, also one that has aborted before', () => {
  const lease = open();
  const early = new Deadline(5000, lease);
  const { signal } = early;
  lease.abort(new Error('lease lost'));
  expect(signal.reason).toEqual(new Error('lease lost'));
  const late = new Deadline(5000, lease);
  expect(late.signal.reason).toEqual(new Error('lease lost'));
  early.clear();
  late.clear();
});
