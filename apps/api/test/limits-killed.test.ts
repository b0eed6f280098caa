import { createHash } from 'node:crypto';
import type { Job, Problem, SubmitReply } from '@spillway/contracts';
import { call, startSpillway, until } from '@spillway/testkit';

const KEY = 'sw_acme';
const headers = { authorization: `Bearer ${KEY}` };

test('a tenant has its places, no more and no fewer, when a worker that ran its jobs was killed', async () => {
  const hash = createHash('sha256').update(KEY).digest('hex');
  await using spillway = await startSpillway({ env: { SPILLWAY_KEYS: `acme:admin:${hash}` } });
  const ask = <T>(method: string, path: string, body?: unknown) =>
    call<T & Problem>(spillway.url, method, path, body, headers);
  const submit = () =>
    ask<SubmitReply>('POST', '/v1/jobs', { type: 'demo.steps', input: { steps: 1000, stepMs: 1000 } });
  const job = async (id: string) => (await ask<Job>('GET', `/v1/jobs/${id}`)).body;
  const inAttempt = (attempt: number) => async (id: string) => {
    const { state, attempt: at } = await job(id);
    return state === 'active' && at === attempt;
  };
  const all = (ids: string[], is: (id: string) => Promise<boolean>) =>
    until(`all of ${ids.length} jobs`, async () => (await Promise.all(ids.map(is))).every(Boolean));
  const takesTwo = async () => {
    const taken = [await submit(), await submit()].map(({ body }) => body.id);
    expect(await submit()).toMatchObject({ status: 429, body: { code: 'queue_full' } });
    return taken;
  };

  await ask('PUT', '/v1/queues/demo/limits', { concurrency: 2, tenants: { depth: 2 } });
  const running = [(await submit()).body.id, (await submit()).body.id];
  await all(running, inAttempt(1));
  const waiting = await takesTwo();

  const [worker] = spillway.workers;
  await worker?.stop('SIGKILL');
  await spillway.addWorker();
  await all(running, inAttempt(2));
  expect((await submit()).status).toBe(429);
  expect(await Promise.all(waiting.map(async (id) => (await job(id)).state))).toEqual(['waiting', 'waiting']);

  for (const id of running) await ask('POST', `/v1/jobs/${id}/cancel`);
  await all(waiting, inAttempt(1));
  await takesTwo();
});
