import { noop } from '../../src/jobs/demo-noop.ts';
import { steps } from '../../src/jobs/demo-steps.ts';
import { runHandler } from '../job-context.ts';

test('walks through its steps, with progress and log', async () => {
  const { result, progress, log } = await runHandler(steps, { steps: 3, stepMs: 0 });
  expect(result).toEqual({ steps: 3 });
  expect(progress.map(({ fraction }) => fraction)).toEqual([1 / 3, 2 / 3, 1]);
  expect(log).toEqual(['step 1 of 3 done', 'step 2 of 3 done', 'step 3 of 3 done']);
});

test('needs no input', async () => {
  expect((await runHandler(steps, {})).result).toEqual({ steps: 5 });
});

test('fails at the step it is asked to', async () => {
  await expect(runHandler(steps, { stepMs: 0, failAt: 2 })).rejects.toThrow('step 2 failed, as it was asked to');
});

test('stops in the middle of a step when it is aborted', async () => {
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  const run = runHandler(steps, { steps: 2, stepMs: 1 }, { signal: controller.signal, onProgress });
  await expect(run).rejects.toMatchObject({ name: 'AbortError' });
});

test.each([{ steps: 0 }, { steps: 1.5 }, { stepMs: 10_001 }, { step: 1 }])('refuses the input %j', async (input) => {
  await expect(runHandler(steps, input)).rejects.toThrow(TypeError);
});

test('does nothing with any object', async () => {
  expect((await runHandler(noop, { anything: [1, 2] })).result).toEqual({});
  await expect(runHandler(noop, 'text')).rejects.toThrow('expected object');
});
