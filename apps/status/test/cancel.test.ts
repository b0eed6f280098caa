import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Job, LogPage, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';
import { connect, follow } from './watcher.ts';

const ROOT = resolve(__dirname, '../../..');

/** A job that hears nothing, and says something every 20 ms until the file `stop` is there. Each start leaves a file. */
const DEAF = `import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { CancelledError, defineJob } from '@spillway/worker';
import { Type } from '@spillway/schema';

export const deaf = defineJob({
  type: 'test.deaf',
  queue: 'deaf',
  concurrency: 1,
  cancelGraceMs: 100,
  input: Type.Object({ folder: Type.String() }),
  async run({ id, input: { folder }, attempt, log, output, progress, signal }) {
    await writeFile(folder + '/started-' + id + '-' + attempt, '');
    while (!existsSync(folder + '/stop')) {
      const told = signal.aborted ? String(signal.reason instanceof CancelledError) : 'nothing';
      log('attempt ' + attempt + ' was told ' + told);
      output(attempt);
      progress(0.5, 'attempt ' + attempt);
      await setTimeout(20);
    }
    await writeFile(folder + '/ended-' + id + '-' + attempt, '');
    return 'from the grave';
  },
});

export const short = defineJob({ type: 'test.short', queue: 'deaf', input: Type.Object({}), run: () => 'done' });
`;

async function start(workers: number) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-cancel-'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'deaf.mjs'), DEAF);
  const spillway = await startSpillway({ workers, env: { SPILLWAY_JOBS: folder, WORKER_PROCESSES: '1' } });
  return {
    spillway,
    folder,
    started: async (id: string) => (await readdir(folder)).filter((name) => name.startsWith(`started-${id}`)),
    async [Symbol.asyncDispose]() {
      await spillway[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

async function submit({ url }: Spillway, type: string, input: object, options: object = {}): Promise<string> {
  return (await call<SubmitReply>(url, 'POST', '/v1/jobs', { type, input, options })).body.id;
}

const end = async ({ url }: Spillway, id: string) =>
  until(
    'the end',
    async () => {
      const { body } = await call<Job>(url, 'GET', `/v1/jobs/${id}?wait=20`);
      return body.finishedAt ? body : undefined;
    },
    40_000,
  );

test('a job that hears nothing is cancelled, its slot is free, and nothing that it goes on to say is seen', async () => {
  await using deaf = await start(1);
  const { spillway, folder } = deaf;
  await using watcher = await connect(spillway.status.url);
  const id = await submit(spillway, 'test.deaf', { folder });
  const { held } = await follow(watcher, id);
  await until('its first words', () => held()?.log.length);
  expect(await call(spillway.url, 'POST', `/v1/jobs/${id}/cancel`)).toMatchObject({ status: 202 });
  expect(await end(spillway, id)).toMatchObject({ state: 'cancelled', cancel: { by: 'open' } });
  await until('the end to be told', () => held()?.job.state === 'cancelled');
  const last = held();
  expect(last?.log.at(-1)).toMatchObject({ line: 'attempt 1 was told true' });

  // The only slot of its worker serves others while the handler goes on.
  const other = await submit(spillway, 'test.short', {});
  expect(await end(spillway, other)).toMatchObject({ state: 'completed', result: 'done' });
  await writeFile(join(folder, 'stop'), '');
  await until('its return', () => existsSync(join(folder, `ended-${id}-1`)));
  expect(await end(spillway, await submit(spillway, 'test.short', {}))).toMatchObject({ state: 'completed' });
  expect(held()).toBe(last);
  const { body: log } = await call<LogPage>(spillway.url, 'GET', `/v1/jobs/${id}/log`);
  expect(log.lines).toEqual(last?.log);
  expect((await call<Job>(spillway.url, 'GET', `/v1/jobs/${id}`)).body).toMatchObject({ state: 'cancelled' });
});

test('a cancel that its worker did not live to hear ends the job all the same, and nobody starts it again', async () => {
  await using deaf = await start(2);
  const { spillway, folder, started } = deaf;
  const id = await submit(spillway, 'test.deaf', { folder });
  await until('its start', async () => (await started(id)).length > 0);
  const { body: job } = await call<Job>(spillway.url, 'GET', `/v1/jobs/${id}`);
  const holder = spillway.workers.find(({ pid }) => job.worker?.includes(`-${pid}-`));
  await holder?.stop('SIGKILL');
  expect(await call(spillway.url, 'POST', `/v1/jobs/${id}/cancel`)).toMatchObject({
    status: 202,
    body: { done: true },
  });
  expect(await end(spillway, id)).toMatchObject({ state: 'cancelled', cancel: { by: 'open' } });
  expect(await started(id)).toHaveLength(1);
});

test('an attempt that hears nothing of its time limit is given up, and only the next one is heard', async () => {
  await using deaf = await start(1);
  const { spillway, folder, started } = deaf;
  const options = { timeoutMs: 300, attempts: 2, backoff: { type: 'fixed', delayMs: 10 } };
  const id = await submit(spillway, 'test.deaf', { folder }, options);
  expect(await end(spillway, id)).toMatchObject({
    state: 'failed',
    attempt: 2,
    error: { code: 'timeout', message: 'expected the attempt to end within 300 ms, and it was still running' },
  });
  expect(await started(id)).toHaveLength(2);
  const { body: log } = await call<LogPage>(spillway.url, 'GET', `/v1/jobs/${id}/log`);
  const words = log.lines.map(({ line }) => line.slice(0, 'attempt 1'.length));
  // Both handlers still talk: the first one's words end where the second one's begin, and those at its end.
  expect(words).toEqual([...words].sort());
  expect(new Set(words)).toEqual(new Set(['attempt 1', 'attempt 2']));
  const other = await submit(spillway, 'test.short', {});
  expect(await end(spillway, other)).toMatchObject({ state: 'completed' });
  const again = await call<LogPage>(spillway.url, 'GET', `/v1/jobs/${id}/log`);
  expect(again.body.lines).toHaveLength(words.length);
  await writeFile(join(folder, 'stop'), '');
});
