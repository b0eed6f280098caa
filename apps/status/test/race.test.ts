import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '@spillway/client';
import type { SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';
import { connect } from './watcher.ts';

let spillway: Spillway;
let client: Client;
/** Further ones, each with a connection of its own. */
const others: Client[] = [];
beforeAll(async () => {
  spillway = await startSpillway({ env: { WORKER_CONCURRENCY: '200' } });
  client = createClient({ baseUrl: spillway.url });
  for (let count = 0; count < 4; count++) others.push(createClient({ baseUrl: spillway.url }));
});
afterAll(async () => {
  for (const each of [client, ...others]) each.close();
  await spillway[Symbol.asyncDispose]();
});

async function submit(type: string, input: object = {}, options: object = {}): Promise<string> {
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type, input, options });
  return body.id;
}

/** Watches, and tells the state at first sight and the one at the end. */
async function follow(id: string, watcher = client): Promise<{ first: string | undefined; last: string }> {
  const watch = watcher.watch(id);
  let first: string | undefined;
  watch.onChange(({ job }) => {
    first ??= job.state;
  });
  const { job } = await watch.done;
  return { first, last: job.state };
}

const JOBS = 150;
const SPREAD_MS = 600;

test('a watch that begins with the reply to the submit sees the end', async () => {
  const ids = await Promise.all(Array.from({ length: JOBS }, () => submit('demo.noop')));
  const seen = await Promise.all(ids.map((id) => follow(id)));
  expect(seen.filter(({ last }) => last !== 'completed')).toEqual([]);
});

test('a watch that begins around the moment of the end sees it', async () => {
  // Ends and beginnings are spread over the same time, so that many meet.
  const endsMs = (index: number) => (index * 37) % SPREAD_MS;
  const beginsMs = (index: number, watcher: number) => (index * 61 + watcher * 23) % SPREAD_MS;
  await call(spillway.url, 'POST', '/v1/queues/demo/pause');
  const ids = await Promise.all(
    Array.from({ length: JOBS }, (_, index) => submit('demo.steps', { steps: 1, stepMs: endsMs(index) })),
  );
  const first = client.watch(ids[0] as string);
  await call(spillway.url, 'POST', '/v1/queues/demo/resume');
  await until('the first to have begun', () => first.current && first.current.job.state !== 'waiting');
  const seen = await Promise.all(
    others.flatMap((watcher, w) => ids.map((id, index) => sleep(beginsMs(index, w)).then(() => follow(id, watcher)))),
  );
  expect(seen.filter(({ last }) => last !== 'completed')).toEqual([]);
  expect(seen.map(({ first }) => first)).toEqual(expect.arrayContaining(['active', 'completed']));
});

test('a watch that begins during progress sees the rest, and one after the end sees all of it', async () => {
  const id = await submit('demo.steps', { steps: 10, stepMs: 20 });
  const early = client.watch(id);
  await until('progress', () => (early.current?.log.length ?? 0) >= 3);
  const [underWay, end] = await Promise.all([follow(id), early.done]);
  expect(underWay).toEqual({ first: 'active', last: 'completed' });
  const late = await client.watch(id).done;
  expect(late.log).toEqual(end.log);
  expect(late.log.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a job that is not there, not yet or no more, is answered so', async () => {
  await using watcher = await connect(spillway.status.url);
  const id = await submit('demo.noop', {}, { delayMs: 60_000 });
  await call(spillway.url, 'DELETE', `/v1/jobs/${id}`);
  await expect(client.watch(id).done).rejects.toMatchObject({ code: 'job_not_found' });
  const [queue = '', ulid = ''] = id.split('.');
  const future = `${queue}.7${ulid.slice(1)}`;
  expect(await watcher.watch(id, future)).toMatchObject({
    results: [{ error: { code: 'job_not_found' } }, { error: { code: 'job_not_found' } }],
  });
});

test('a watch that begins while the job is being removed ends with job_not_found', async () => {
  const ids = await Promise.all(Array.from({ length: JOBS }, () => submit('demo.noop', {}, { delayMs: 60_000 })));
  const ends = await Promise.all(
    ids.map(async (id, index) => {
      const removal = call(spillway.url, 'DELETE', `/v1/jobs/${id}`);
      await afterTurns(index % 20);
      const end = await client.watch(id).done.catch(({ code }: { code: string }) => code);
      await removal;
      return end;
    }),
  );
  expect(ends.filter((end) => end !== 'job_not_found')).toEqual([]);
});

/** Spreads what follows over the moments of the next few milliseconds. */
async function afterTurns(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
