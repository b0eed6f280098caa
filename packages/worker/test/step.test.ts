import type { JobContext } from '../src/context.ts';
import { defineJob } from '../src/index.ts';
import { runJob } from '../src/run-job.ts';
import { makeLease, rememberIn, setupFor } from './lease.ts';

/** Runs a handler that has only steps, with the steps that earlier attempts left in `kept`. */
async function runSteps(
  run: (step: JobContext['step'], context: JobContext) => Promise<unknown>,
  kept = new Map<string, string>(),
  over: Parameters<typeof makeLease>[0] = {},
) {
  const job = defineJob({ type: 'test.work', input: {}, run: (context) => run(context.step, context) });
  return runJob(makeLease({ steps: rememberIn(kept), ...over }), setupFor(job));
}

const result = (value: unknown) => ({ kind: 'completed', result: value });
const failure = (message: string) => ({ kind: 'failed', error: { message: expect.stringContaining(message) } });

test('a step that finished is not run again by a later attempt, and gives what it gave', async () => {
  const kept = new Map<string, string>();
  const ran: string[] = [];
  const run = async (step: JobContext['step'], { attempt }: JobContext) => {
    const first = await step('first', () => ran.push(`first ${attempt}`));
    await step('second', async () => {
      ran.push(`second ${attempt}`);
      if (attempt === 1) throw new Error('not today');
    });
    return first;
  };
  expect(await runSteps(run, kept)).toMatchObject(failure('not today'));
  expect(await runSteps(run, kept, { attempt: 2 })).toEqual(result(1));
  expect(ran).toEqual(['first 1', 'second 1', 'second 2']);
});

test('a value is what JSON makes of it, whether fresh or remembered, and every caller’s own', async () => {
  const kept = new Map<string, string>();
  const given = { at: new Date(0), none: undefined, list: [1] };
  const seen: unknown[] = [];
  const run = async (step: JobContext['step']) => {
    const values = await Promise.all([step('a', () => given), step('a', () => given)]);
    values[0]?.list.push(2);
    seen.push(values[1], await step('nothing', () => undefined));
  };
  await runSteps(run, kept);
  await runSteps(run, kept);
  const value = { at: '1970-01-01T00:00:00.000Z', list: [1] };
  expect(seen).toEqual([value, undefined, value, undefined]);
  expect(given.list).toEqual([1]);
});

test('two steps of one name that run at the same time share one run, later ones recall it', async () => {
  let runs = 0;
  const outcome = await runSteps(async (step) => {
    const count = () => step('count', async () => ++runs);
    return [...(await Promise.all([count(), count()])), await count()];
  });
  expect(outcome).toEqual(result([1, 1, 1]));
});

test('steps may stand inside of others, under other names', async () => {
  const nested = (name: string) => runSteps((step) => step('outer', () => step(name, () => 5)));
  expect(await nested('inner')).toEqual(result(5));
  expect(await nested('outer')).toMatchObject(failure('step "outer": expected another name inside of it, got its own'));
});

test('a step that throws is run again by the next call', async () => {
  let runs = 0;
  const outcome = await runSteps(async (step) => {
    const shaky = () =>
      step('shaky', () => {
        runs += 1;
        if (runs === 1) throw new Error('not today');
        return runs;
      });
    return shaky().catch(shaky);
  });
  expect(outcome).toEqual(result(2));
});

test.each<[string, unknown, unknown, string]>([
  ['no name', undefined, () => 1, 'step: expected a name, got undefined'],
  ['an empty name', '', () => 1, 'step: expected a name, got an empty one'],
  ['a long name', 'n'.repeat(101), () => 1, 'step: expected a name of at most 100 characters, got 101'],
  ['no function', 'a', 7, 'step "a": expected a function to run, got number'],
  ['a function as its value', 'a', () => test, 'step "a": expected a value that JSON can hold, got a function'],
  ['a number too big for JSON', 'a', () => 1n, 'step "a": expected a value that JSON can hold'],
])('a step with %s is refused', async (_case, name, run, message) => {
  const kept = new Map<string, string>();
  const outcome = await runSteps((step) => step(name as string, run as () => unknown), kept);
  expect(outcome).toMatchObject(failure(message));
  expect(kept.size).toBe(0);
});

test('once the signal is aborted no step starts', async () => {
  const ended = new AbortController();
  let ran = false;
  const outcome = await runSteps(
    async (step) => {
      ended.abort(new Error('the worker stops'));
      await step('late', () => {
        ran = true;
      });
    },
    new Map(),
    { signal: ended.signal },
  );
  expect(outcome).toMatchObject(failure('the worker stops'));
  expect(ran).toBe(false);
});
