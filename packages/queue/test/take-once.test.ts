import { openSandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, consume, gate, openQueue, TYPE } from './fixture.ts';
import { argumentsOf } from './script-calls.ts';

/** The engine takes a job with a key prefix, the time, and options that it has packed. */
const isTake = (args: unknown[]) => args.length === 3 && Buffer.isBuffer(args[2]);

test('a job that stands alone in its line is taken with one question', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const redis = await sandbox.connect('worker');
  const calls = argumentsOf(redis);
  await consume(sandbox, async () => COMPLETED, { redis });
  const jobs = 30;
  for (let n = 0; n < jobs; n += 1) {
    const { id } = await submit();
    await until('its end', async () => (await reader.job(id)).finishedAt);
  }
  // By itself the engine asks three times. A worker that hears nothing for five seconds asks once more.
  expect(calls.filter(isTake).length).toBeLessThan(jobs * 1.5);
});

test('the line is marked while jobs stand in it, and not when the last is taken', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await openQueue(sandbox);
  const { marker } = queueKeys(prefix, TYPE.queue);
  const started: string[] = [];
  const gates = [gate(), gate(), gate()];
  for (const _ of gates) await submit();
  await consume(
    sandbox,
    async ({ id }) => {
      await gates[started.push(id) - 1]?.opened;
      return COMPLETED;
    },
    { concurrency: 1 },
  );
  const marks: unknown[] = [];
  for (const [n, { open }] of gates.entries()) {
    await until('its start', () => started.length === n + 1);
    marks.push(await redis.zscore(marker, '0'));
    open();
  }
  expect(marks).toEqual(['0', '0', null]);
});

test('a job that comes before the worker knows that the line was empty is taken', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const redis = await sandbox.connect('worker');
  const run = redis.evalsha.bind(redis) as (...args: unknown[]) => Promise<unknown>;
  const late: string[] = [];
  jest.spyOn(redis, 'evalsha').mockImplementation(async (...args: unknown[]) => {
    const answer = await run(...args);
    // The script has found that there is no more, and its answer is on its way.
    const foundLast = isTake(args.slice(2 + Number(args[1]))) && Array.isArray(answer) && answer.length === 5;
    if (foundLast && late.length < 20) late.push((await submit()).id);
    return answer;
  });
  const all = gate();
  // No job ends before all are taken: an end would take the next one along.
  await consume(sandbox, () => all.opened.then(() => COMPLETED), { redis, concurrency: 30 });
  await submit();
  await until('all that came late', () => late.length === 20);
  all.open();
  for (const id of late) await until('its end', async () => (await reader.job(id)).state === 'completed');
});

test('nothing is left in line, however jobs come and whoever takes them', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  for (let n = 0; n < 3; n += 1) await consume(sandbox, async () => COMPLETED, { concurrency: 2, workerId: `w${n}` });
  const options = [{}, { priority: 5 }, { delayMs: 20 }, { group: 'g' }];
  const jobs = 400;
  const submits: Promise<unknown>[] = [];
  for (let n = 0; n < jobs; n += 1) {
    submits.push(submit({}, options[n % options.length]));
    // Bursts of different sizes, with a pause in which the line runs dry.
    if (n % (3 + (n % 7)) === 0) await submits.at(-1);
  }
  await Promise.all(submits);
  await until('all ends', async () => (await reader.queue(TYPE.queue)).counts.completed === jobs, 60_000);
});
