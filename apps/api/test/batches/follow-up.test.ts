import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { json } from 'node:stream/consumers';
import type { Batch, BatchStreamReply, Job, JobList } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({
    env: {
      SPILLWAY_JOBS: resolve(__dirname, '../fixtures/doomed-job.ts'),
      SPILLWAY_ALLOW_PRIVATE: '127.0.0.1',
      WORKER_QUEUES: 'demo,deliveries',
    },
  });
});
afterAll(() => spillway?.[Symbol.asyncDispose]());

async function stream(query: string, lines: readonly object[]): Promise<string> {
  const response = await fetch(`${spillway.url}/v1/batches${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as BatchStreamReply).id;
}

const read = async (id: string) => (await call<Batch>(spillway.url, 'GET', `/v1/batches/${id}`)).body;
const jobsOf = async (type: string) =>
  (await call<JobList>(spillway.url, 'GET', `/v1/jobs?type=${type}&limit=100`)).body.jobs;

/** A server that keeps what it is told. */
async function listen(answer: (calls: number, response: ServerResponse) => void) {
  const heard: { id: IncomingMessage['headers'][string]; body: unknown }[] = [];
  const server = createServer(async (request, response) => {
    heard.push({ id: request.headers['webhook-id'], body: await json(request) });
    answer(heard.length, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return { url: `http://127.0.0.1:${port}/hook`, heard, [Symbol.asyncDispose]: close };
}

test('a webhook is told once of the end of a batch, and again under the same id where it answered 500', async () => {
  await using hook = await listen((calls, response) => response.writeHead(calls === 1 ? 500 : 204).end());
  const failing = { type: 'demo.steps', input: { steps: 1, stepMs: 1, failAt: 1 }, options: { attempts: 1 } };
  const id = await stream(`?webhook=${hook.url}`, [{ type: 'demo.noop' }, failing]);
  const { onComplete } = await until('what follows', async () => {
    const batch = await read(id);
    return batch.onComplete?.job ? batch : undefined;
  });
  const job = await call<Job>(spillway.url, 'GET', `/v1/jobs/${onComplete?.job}?wait=30`);
  expect(job.body).toMatchObject({ type: 'http.deliver', state: 'completed', attempt: 2, result: { status: 204 } });
  const counts = { total: 2, open: 0, completed: 1, failed: 1, cancelled: 0, removed: 0 };
  expect(hook.heard).toEqual(Array(2).fill({ id: onComplete?.job, body: { batch: id, counts } }));

  // It ends a second time, and what follows it has been.
  await call(spillway.url, 'POST', `/v1/batches/${id}/retry-failed`);
  await until('the second end', async () => (await read(id)).finishedAt !== undefined);
  expect(await jobsOf('http.deliver')).toHaveLength(1);
});

test('what follows a batch is submitted once where the worker that ended its last job is killed, at whatever moment', async () => {
  const moments = [0, 1, 2, 3, 5, 8];
  const victims = await Promise.all(moments.map(() => spillway.addWorker({ WORKER_QUEUES: 'doomed:1' })));
  const batches: string[] = [];
  // One after the other: a worker that had taken a second job would take that one's death along.
  for (const killAfterMs of moments) {
    const doomed = { type: 'test.doomed', input: { killAfterMs } };
    batches.push(await stream('?onComplete=demo.noop', [{ type: 'demo.noop' }, doomed]));
    await until('one more death', () => victims.filter((victim) => victim.hasEnded()).length === batches.length);
  }
  await spillway.addWorker({ WORKER_QUEUES: 'doomed' });
  const followed = await until(
    'what follows each',
    async () => {
      const found = await Promise.all(batches.map(read));
      return found.every(({ onComplete }) => onComplete?.job) ? found : undefined;
    },
    60_000,
  );
  for (const batch of followed) expect(batch).toMatchObject({ total: 2, completed: 2, open: 0 });
  const jobs = await until('their ends', async () => {
    const found = (await jobsOf('demo.noop')).filter(({ batch }) => batch === undefined);
    return found.every(({ state }) => state === 'completed') ? found : undefined;
  });
  expect(jobs.map(({ id }) => id).sort()).toEqual(followed.map(({ onComplete }) => onComplete?.job).sort());
}, 120_000);
