import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job, SubmitReply, WorkerInfo } from '@spillway/contracts';
import { call, startSpillway, until } from '@spillway/testkit';

// Four services and an isolate start in each of these, which takes its time on a busy machine.
jest.setTimeout(90_000);
const PATIENCE_MS = 60_000;

const SPILLWAY_JOBS = join(__dirname, 'fixtures/heavy.mjs');

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test.each(['SIGKILL', 'SIGTERM'] as const)(
  '%s to a worker leaves no process of a handler that never ends',
  async (signal) => {
    await using spillway = await startSpillway({ env: { SPILLWAY_JOBS, WORKER_STOP_MS: '0' } });
    const pidFile = join(spillway.sandbox.folder, 'pid');
    await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type: 'test.spin', input: { pidFile } });
    const pid = await until(
      'the handler',
      async () => Number(await readFile(pidFile, 'utf8').catch(() => '')) || undefined,
    );
    expect(isAlive(pid)).toBe(true);
    await spillway.workers[0]!.stop(signal);
    await until('its end', async () => !isAlive(pid));
  },
);

test.each([
  ['test.hoard-thread', 'its thread ran out of memory (its limit is 64 MB)'],
  ['test.hoard-process', 'ran out of memory (its limit is 64 MB)'],
])('%s, which takes too much memory, dies alone', async (type, how) => {
  await using spillway = await startSpillway({ env: { SPILLWAY_JOBS } });
  const submitted = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type, input: {} });
  const job = await until(
    'its end',
    async () => {
      const { body } = await call<Job>(spillway.url, 'GET', `/v1/jobs/${submitted.body.id}`);
      return body.finishedAt ? body : undefined;
    },
    PATIENCE_MS,
  );
  expect(job).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'handler_crashed' } });
  expect(job.error?.message).toContain(how);
  expect(spillway.workers[0]!.hasEnded()).toBe(false);
});

test('a handler that blocks its worker is named in the log while it does, and in the list of workers afterwards', async () => {
  await using spillway = await startSpillway({ env: { SPILLWAY_JOBS } });
  const submitted = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', {
    type: 'test.block',
    input: { ms: 5000 },
  });
  const { id } = submitted.body;
  const worker = spillway.workers[0]!;
  await until('the watchdog', async () => worker.output().includes('a handler blocks the event loop'));
  const line = worker
    .output()
    .split('\n')
    .find((text) => text.includes('a handler blocks the event loop'));
  expect(JSON.parse(line ?? '')).toMatchObject({
    level: 40,
    type: 'test.block',
    jobs: [id],
    where: expect.arrayContaining([expect.stringMatching(/^burn \(.*heavy\.mjs:\d+\)$/)]),
  });
  expect(worker.output()).not.toContain('the event loop was blocked');
  const info = await until(
    'the list',
    async () => {
      const { body } = await call<{ workers: WorkerInfo[] }>(spillway.url, 'GET', '/v1/workers');
      return body.workers.find(({ blocked }) => blocked);
    },
    PATIENCE_MS,
  );
  expect(info.blocked).toMatchObject({ latest: { type: 'test.block', jobs: [id] } });
  expect(info.blocked?.latest.ms).toBeGreaterThan(2000);
});
