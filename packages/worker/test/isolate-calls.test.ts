import { answerCall } from '../src/isolate/answers.ts';
import { createCalls } from '../src/isolate/calls.ts';
import type { Call } from '../src/isolate/messages.ts';
import { makeLease } from './lease.ts';

test('a call gets the answer of its number, in whatever order answers come', async () => {
  const sent: Call[] = [];
  const calls = createCalls((call) => sent.push(call));
  const [first, second] = [calls.call('one', 1, 'a'), calls.call('two')];
  expect(sent).toEqual([
    { call: 1, name: 'one', args: [1, 'a'] },
    { call: 2, name: 'two', args: [] },
  ]);
  calls.settle({ call: 2, value: 'two' });
  calls.settle({ call: 1, problem: 'lease lost' });
  calls.settle({ call: 7, value: 'nobody asked' });
  await expect(first).rejects.toThrow('lease lost');
  expect(await second).toBe('two');
});

test('the worker answers what it knows, for the lease of the job that asks', async () => {
  const flush = jest.fn(async () => undefined);
  const lease = makeLease({ reports: { ...makeLease().reports, flush } });
  expect(await answerCall(lease, { call: 4, name: 'flush', args: [] })).toEqual({ call: 4, value: undefined });
  expect(flush).toHaveBeenCalledTimes(1);
});

test.each([
  [
    'a call that it does not know',
    'toString',
    'expected one of flush, recall, remember, children, got a call of toString',
  ],
  ['what fails', 'flush', 'Redis is away'],
])('the worker refuses %s in words', async (_what, name, problem) => {
  const flush = () => Promise.reject(new Error('Redis is away'));
  const lease = makeLease({ reports: { ...makeLease().reports, flush } });
  expect(await answerCall(lease, { call: 1, name, args: [] })).toEqual({ call: 1, problem });
});
