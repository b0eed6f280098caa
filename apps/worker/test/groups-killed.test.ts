import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchReply, QueueInfo, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startService, startSpillway, until } from '@spillway/testkit';

const env = {
  SPILLWAY_JOBS: join(__dirname, 'fixtures/groups-killed.mjs'),
  WORKER_PROCESSES: '1',
  WORKER_CONCURRENCY: '10',
};
const QUEUE = '/v1/queues/default';
const CAP = 3;
const KILLS = 2;
/** Jobs before each kill, so twice as many notes: it falls somewhere into their first half. */
const ROUND = 200;

/** What handlers wrote down, and which processes were killed: start, end or killed, job, group, process. */
function notes(file: string): string[][] {
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split(' '))
    : [];
}

/** The most jobs of one group that living processes ran at once. */
function mostAtOnce(file: string): number {
  const holders = new Map<string, { group: string; pid: string }>();
  let most = 0;
  for (const [what, id = '', group = '', pid = ''] of notes(file)) {
    if (what === 'start') holders.set(`${id} ${pid}`, { group, pid });
    if (what === 'end') holders.delete(`${id} ${pid}`);
    if (what === 'killed') for (const [name, holder] of holders) if (holder.pid === pid) holders.delete(name);
    const beside = [...holders.values()].filter((holder) => holder.group === group).length;
    most = Math.max(most, beside);
  }
  return most;
}

/** A generator of the numbers 0 to 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

const queue = async ({ url }: Spillway) => (await call<QueueInfo>(url, 'GET', QUEUE)).body;

test.each([1, 20])(
  'workers that are killed while groups run leave each job to end once, no cap exceeded and no slot taken: seed %i',
  async (seed) => {
    await using spillway = await startSpillway({ workers: 2, env });
    const next = random(seed);
    const file = join(spillway.sandbox.folder, 'notes');
    await call(spillway.url, 'PUT', `${QUEUE}/limits`, { groups: { default: { concurrency: CAP } } });
    for (let kills = 0; kills < KILLS; kills += 1) {
      const jobs = Array.from({ length: ROUND }, (_, n) => {
        const group = `group-${n % 4}`;
        return { type: 'test.noted', input: { file, group, ms: Math.floor(next() * 10) }, options: { group } };
      });
      const reached = notes(file).length + 10 + Math.floor(next() * ROUND);
      expect((await call<BatchReply>(spillway.url, 'POST', '/v1/batches', jobs)).body.accepted).toBe(ROUND);
      await until('some more starts and ends', () => notes(file).length >= reached, 30_000);
      const killed = spillway.workers.findLast((worker) => !worker.hasEnded());
      await killed?.stop('SIGKILL');
      appendFileSync(file, `killed - - ${killed?.pid}\n`);
      await spillway.addWorker();
    }
    await until('all to have ended', async () => (await queue(spillway)).counts.completed === KILLS * ROUND, 60_000);
    expect((await queue(spillway)).counts).toMatchObject({ waiting: 0, active: 0, failed: 0 });
    // Slots hold back jobs, so each group reaches its cap.
    expect(mostAtOnce(file)).toBe(CAP);
    const redis = await spillway.sandbox.connect();
    const slots = `${spillway.sandbox.prefix}:{default}:group:slots`;
    await until('every slot to be given back', async () => (await redis.exists(slots)) === 0);
  },
  180_000,
);

test('jobs of groups whose api is killed midway are all stored once when they are sent again under their keys', async () => {
  await using spillway = await startSpillway({ env });
  const file = join(spillway.sandbox.folder, 'notes');
  const keys = Array.from({ length: 300 }, (_, n) => n);
  const submit = (url: string, n: number) =>
    call<SubmitReply>(
      url,
      'POST',
      '/v1/jobs',
      { type: 'test.noted', input: { file, group: `g-${n % 5}`, ms: 0 }, options: { group: `g-${n % 5}` } },
      { 'idempotency-key': `key-${n}` },
    );
  let answered = 0;
  const first = await Promise.all(
    keys.map(async (n) => {
      const reply = await submit(spillway.url, n).catch(() => undefined);
      answered += 1;
      if (answered === 40) await spillway.api.stop('SIGKILL');
      return reply?.body.id;
    }),
  );
  expect(first).toContain(undefined);
  await using api = await startService('api', { ...spillway.env, SPILLWAY_STATUS_URL: spillway.status.url });
  const again = await Promise.all(keys.map(async (n) => (await submit(api.url, n)).body.id));
  expect(again).not.toContain(undefined);
  for (const [n, id] of first.entries()) if (id) expect(again[n]).toBe(id);
  const completed = async () => (await call<QueueInfo>(api.url, 'GET', QUEUE)).body.counts.completed;
  await until('all to have ended', async () => (await completed()) === keys.length, 30_000);
  expect(new Set(notes(file).flatMap(([what, id]) => (what === 'end' ? [id] : []))).size).toBe(keys.length);
  expect(notes(file).filter(([what]) => what === 'start')).toHaveLength(keys.length);
}, 120_000);
