import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@spillway/client';
import type { WatchedJob } from '@spillway/contracts';
import { type FaultProxy, until } from '@spillway/testkit';
import { type LinesJob, redisUrlOf, type Stage, startStage, type Work } from './stage.ts';
import { joinOnce, readFromNow, type Unprotected } from './unprotected.ts';
import { flaws, stepsBack, toldBy, type Witness, wholeTruth, witness } from './witness.ts';

/** 200 watchers, each with a connection of its own and about 300 things to be told: a line and a chunk a step. */
const JOBS = 20;
const WATCHERS_PER_JOB = 10;
const WORK: Work = { steps: 150, stepMs: 20 };
/** Steps that every watcher has seen when the fault comes: early, so that most of the job is still to come. */
const UNDER_WAY = 15;
/** Steps after which the jobs wait until the fault has happened. */
const HELD_AT = WORK.steps * 0.8;

jest.setTimeout(60_000);

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

interface Run extends AsyncDisposable {
  jobs: LinesJob[];
  witnesses: Witness[];
  /** One for each job, through the same proxy. */
  naive: Unprotected[];
  /** One for each of a few jobs, straight from Redis. */
  readers: Unprotected[];
  /** Lets the jobs come to their ends. */
  finish(): Promise<void>;
}

/** Jobs under way, and everybody there to watch: before the start, so that each watcher sees every state. */
async function begin({ readersWanted = 3 } = {}): Promise<Run> {
  const gate = join(stage.spillway.sandbox.folder, `gate-${randomUUID()}`);
  const jobs = await stage.submit(JOBS, { ...WORK, gate });
  const clients = jobs.flatMap(() =>
    Array.from({ length: WATCHERS_PER_JOB }, () => createClient({ baseUrl: stage.proxy.url })),
  );
  const witnesses = clients.map((client, index) => witness(client, jobs[index % JOBS] as LinesJob));
  const naive = await Promise.all(jobs.map((job) => joinOnce(stage.proxy.url, job)));
  const readers = await Promise.all(
    jobs.slice(0, readersWanted).map((job) => readFromNow(redisUrlOf(stage.redisProxy), stage.stream, job)),
  );
  await until('everybody to watch', () => witnesses.every(({ watch }) => watch.current));
  await stage.go();
  await until('all jobs to be under way', () => witnesses.every(({ history }) => lastOf(history).lines >= UNDER_WAY));
  expect(witnesses.every(({ watch }) => watch.current?.job.state === 'active')).toBe(true);
  const run = {
    jobs,
    witnesses,
    naive,
    readers,
    finish: () => writeFile(gate, ''),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await Promise.all([...naive, ...readers].map((each) => each[Symbol.asyncDispose]()));
    },
  };
  // A test that runs out of time never comes to its own end.
  stage.spillway.sandbox.defer(() => run[Symbol.asyncDispose]());
  return run;
}

/** Everyone saw everything, once, in order, up to the end, and nothing ran backwards on the way. */
async function expectTruth({ witnesses, finish }: Run): Promise<void> {
  await finish();
  const ends = await Promise.all(witnesses.map(({ watch }) => watch.done));
  expect(ends.flatMap((end, index) => flaws(toldBy(end), wholeTruth((witnesses[index] as Witness).job)))).toEqual([]);
  expect(witnesses.flatMap(({ history }) => stepsBack(history))).toEqual([]);
  expect(witnesses.every(({ history }) => history[0]?.state === 'waiting')).toBe(true);
}

/** The fault hurts: whom it reached, and who had no protection, has lost something. */
function expectLoss(unprotected: readonly Unprotected[]): void {
  const hurt = unprotected.filter(({ wasCut }) => wasCut);
  expect(hurt.length).toBeGreaterThan(0);
  expect(hurt.filter(({ missing }) => missing === 0)).toEqual([]);
}

/** The jobs as somebody sees them who comes when all is over. */
async function comeLate(jobs: readonly LinesJob[]): Promise<AsyncDisposable & { ends: WatchedJob[] }> {
  const client = createClient({ baseUrl: stage.proxy.url });
  const ends = await Promise.all(jobs.map(({ id }) => client.watch(id).done));
  return { ends, [Symbol.asyncDispose]: async () => client.close() };
}

function expectReconnects({ witnesses }: Run, share: number): void {
  const returned = witnesses.filter(({ history }) => lastOf(history).connects > 1);
  expect(returned.length).toBeGreaterThanOrEqual(witnesses.length * share);
}

function lastOf<T>(items: readonly T[]): T {
  return items.at(-1) as T;
}

/** Ends connections in Redis, as an administrator or a failover would, once there are as many of each name. */
async function killInRedis(atLeast: number, ...names: string[]): Promise<void> {
  const control = await stage.redis.connect();
  const ids = await until(`${atLeast} connections of each of ${names}`, async () => {
    const list = String(await control.client('LIST')).split('\n');
    const found = names.map((name) => list.filter((line) => line.includes(` name=${name} `)));
    const isThere = found.every(({ length }) => length >= atLeast);
    return isThere ? found.flat().map((line) => line.slice(3).split(' ')[0]) : undefined;
  });
  await Promise.all(ids.map((id) => control.client('KILL', 'ID', Number(id))));
}

function cutOff(...proxies: FaultProxy[]): void {
  for (const proxy of proxies) {
    proxy.refuse();
    proxy.reset();
  }
}

function heal(...proxies: FaultProxy[]): void {
  for (const proxy of proxies) proxy.heal();
}

const FEEDS = 'spillway:status:feed';
const PLAIN_READERS = 'spillway:plain:feed';

test('without a fault everybody sees everything, protected or not', async () => {
  await using run = await begin();
  await expectTruth(run);
  const others = [...run.naive, ...run.readers];
  await until('the unprotected to have all', () => others.every(({ missing, sawEnd }) => missing === 0 && sawEnd));
  expect(others.filter(({ wasCut }) => wasCut)).toEqual([]);
});

describe('connections', () => {
  test('all reset once', async () => {
    await using run = await begin();
    stage.proxy.reset();
    await expectTruth(run);
    expectReconnects(run, 1);
    expectLoss(run.naive);
  });

  test('all reset every two seconds', async () => {
    await using run = await begin();
    const stop = stage.proxy.resetEvery(2000);
    const { resets } = stage.proxy;
    await until('three resets', () => stage.proxy.resets >= resets + 3);
    stop();
    await expectTruth(run);
    expectLoss(run.naive);
  });
});

describe('status processes', () => {
  // Also after a test that failed, so that it is the only one.
  afterEach(() => stage.restartEnded());

  test('one told to go, as in a rolling deploy', async () => {
    await using run = await begin();
    await stage.statuses[0]?.stop('SIGTERM');
    await expectTruth(run);
    // They were asked to move before it went, and did.
    expect(run.witnesses.every(({ history }) => lastOf(history).connects === 1)).toBe(true);
    expectLoss(run.naive);
  });

  test('one killed', async () => {
    await using run = await begin();
    await stage.statuses[1]?.stop('SIGKILL');
    await expectTruth(run);
    expectReconnects(run, 0.4);
    expectLoss(run.naive);
  });

  test('both killed and started again', async () => {
    await using run = await begin();
    await Promise.all(stage.statuses.map((status) => status.stop('SIGKILL')));
    await stage.restartEnded();
    await expectTruth(run);
    expectReconnects(run, 1);
    expectLoss(run.naive);
  });
});

describe('Redis', () => {
  test('the connections that read the feed killed, several times', async () => {
    await using run = await begin();
    for (let round = 1; round <= 4; round++) {
      const before = Math.min(...run.witnesses.map(({ history }) => lastOf(history).lines));
      if (round === 1) await killInRedis(1, PLAIN_READERS);
      // Those of the round before may be on their way back.
      await killInRedis(stage.statuses.length, FEEDS);
      const further = Math.min(before + 10, HELD_AT);
      await until('the feeds to go on', () => run.witnesses.every(({ history }) => lastOf(history).lines >= further));
    }
    await expectTruth(run);
    expectLoss(run.readers);
  });

  test('killed and started again with its append-only file', async () => {
    await using run = await begin();
    await stage.redis.kill();
    await stage.redis.start();
    await expectTruth(run);
    expectLoss(run.readers);
  });

  test('killed and started again with its last moments lost, as after a power cut', async () => {
    await using run = await begin();
    await stage.redis.kill();
    await stage.redis.loseTail(100_000);
    await stage.redis.start();
    await run.finish();
    const ends = await Promise.all(run.witnesses.map(({ watch }) => watch.done));

    // What Redis lost is lost: the truth is what it has.
    await using late = await comeLate(run.jobs);
    const truths = new Map(late.ends.map((end) => [end.job.id, end]));
    expect(ends.flatMap((end) => flaws(toldBy(end), toldBy(truths.get(end.job.id) as WatchedJob)))).toEqual([]);
    expect(late.ends.filter(({ log }) => log.some(({ n }, index) => n !== index))).toEqual([]);
    expect(late.ends.some(({ log }) => log.length < WORK.steps)).toBe(true);
    // Nobody is shown less than before without a word.
    const wentBack = run.witnesses.filter(({ history }) => stepsBack(history).length > 0);
    const warned = new Set(run.jobs.filter((_, index) => (run.naive[index]?.resyncs ?? 0) > 0));
    expect(wentBack.filter(({ job }) => !warned.has(job))).toEqual([]);
  });

  test('history trimmed past watchers and feeds that are cut off', async () => {
    await using run = await begin();
    cutOff(stage.proxy, stage.redisProxy);
    const control = await stage.redis.connect();
    const [[last] = []] = await control.xrevrange(stage.stream, '+', '-', 'COUNT', 1);
    await run.finish();
    await until('history to go on', async () => (await control.xrange(stage.stream, `(${last}`, '+')).length >= JOBS);
    await control.xtrim(stage.stream, 'MAXLEN', 0);
    heal(stage.redisProxy, stage.proxy);
    await expectTruth(run);
    expectReconnects(run, 1);
    expectLoss(run.naive);
    expectLoss(run.readers);
  });

  test('the end trimmed past feeds that are cut off, while the watchers hear nothing of it', async () => {
    await using run = await begin({ readersWanted: 0 });
    cutOff(stage.redisProxy);
    await run.finish();
    const outside = createClient({ baseUrl: stage.spillway.url });
    await Promise.all(run.jobs.map(({ id }) => outside.result(id)));
    await (await stage.redis.connect()).xtrim(stage.stream, 'MAXLEN', 0);
    heal(stage.redisProxy);
    await expectTruth(run);
    // On connections that stand, it is the notice that makes watchers ask again; those who ignore it never see the end.
    expect(run.witnesses.every(({ history }) => lastOf(history).connects === 1)).toBe(true);
    expect(run.naive.filter(({ sawEnd, resyncs }) => sawEnd || resyncs === 0)).toEqual([]);
  });
});
