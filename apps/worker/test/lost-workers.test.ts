import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';

const env = { SPILLWAY_JOBS: join(__dirname, 'fixtures/lost-workers.mjs'), WORKER_PROCESSES: '1' };

const startsFile = (spillway: Spillway) => join(spillway.sandbox.folder, 'starts');

/** What handlers wrote down, outside of Redis, in order. */
function starts(spillway: Spillway): { id: string; attempt: number; pid: number }[] {
  const file = startsFile(spillway);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  return lines.map((line) => {
    const [id = '', attempt, pid] = line.split(' ');
    return { id, attempt: Number(attempt), pid: Number(pid) };
  });
}

async function submit(spillway: Spillway, type: string, options: object = {}): Promise<string> {
  const input = type.startsWith('test.') ? { starts: startsFile(spillway) } : {};
  return (await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type, input, options })).body.id;
}

const read = async (spillway: Spillway, id: string) => (await call<Job>(spillway.url, 'GET', `/v1/jobs/${id}`)).body;

test('the job of a killed worker is started by another one and ends once', async () => {
  await using spillway = await startSpillway({ workers: 2, env });
  const id = await submit(spillway, 'test.holding');
  const first = await until('the start', () => starts(spillway)[0]);
  const killed = spillway.workers.find(({ pid }) => pid === first.pid);
  await killed?.stop('SIGKILL');
  await until('the end', async () => (await read(spillway, id)).finishedAt, 40_000);
  expect(starts(spillway).map(({ attempt }) => attempt)).toEqual([1, 2]);
  expect(starts(spillway)[1]?.pid).toBe(spillway.workers.find((worker) => worker !== killed)?.pid);
  expect(await read(spillway, id)).toMatchObject({
    state: 'completed',
    attempt: 2,
    attempts: 2,
    history: [{ attempt: 1, error: { code: 'lost_worker' } }],
  });
}, 120_000);

test('a handler that blocks its event loop for five seconds keeps its lease', async () => {
  await using spillway = await startSpillway({ workers: 2, env });
  const id = await submit(spillway, 'test.blocking');
  const job = await until(
    'the end',
    async () => {
      const now = await read(spillway, id);
      if (!now.finishedAt) throw new Error(`${JSON.stringify(now)}, started: ${JSON.stringify(starts(spillway))}`);
      return now;
    },
    60_000,
  );
  expect(starts(spillway)).toHaveLength(1);
  expect(job).toMatchObject({ state: 'completed', attempt: 1, attempts: 1 });
}, 120_000);

test('a job that kills every process that runs it ends as failed, while the fleet runs other jobs', async () => {
  await using spillway = await startSpillway({ env: { ...env, WORKER_PROCESSES: '2' } });
  const [fleet] = spillway.workers;
  const redis = await spillway.sandbox.connect();
  const poison = await submit(spillway, 'test.poison', { attempts: 2 });
  const others: string[] = [];
  for (const deaths of [1, 2, 3, 4]) {
    await until('a process to die', () => fleet?.output().split('a worker process died').length === deaths + 1, 25_000);
    others.push(await submit(spillway, 'demo.noop'));
    // As if its time were over: the test need not wait for the lease of a process that is known to be dead.
    await redis.del(`${spillway.sandbox.prefix}:{default}:${poison}:lock`);
  }
  const job = await until('the end', async () => {
    const now = await read(spillway, poison);
    return now.finishedAt ? now : undefined;
  });
  expect(job).toMatchObject({
    state: 'failed',
    attempt: 4,
    error: { code: 'lost_worker', message: expect.stringContaining('lost its worker 4 times') },
  });
  expect(new Set(job.history?.map(({ worker }) => worker)).size).toBe(4);
  expect(starts(spillway)).toHaveLength(4);
  for (const id of others)
    await until('the others to end', async () => (await read(spillway, id)).state === 'completed', 25_000);
  expect(fleet?.hasEnded()).toBe(false);
}, 120_000);
