import { createClient } from '@spillway/client';
import { call, type FaultProxy, openProxy, until } from '@spillway/testkit';
import { type LinesJob, type Stage, startStage, type Work } from './stage.ts';
import { joinOnce, type Unprotected } from './unprotected.ts';
import { flaws, stepsBack, toldBy, type Witness, wholeTruth, witness } from './witness.ts';

/** Connections that die without a word: neither side is told, so only heartbeats find out, after 25 s. */
const DIRECTIONS = ['both', 'to client'] as const;
const BRIEF: Work = { steps: 100, stepMs: 20 };
const LIGHT: Work = { steps: 150, stepMs: 60 };
/**
 * 40 MB in all: far more than the operating system takes in for a reader that does not read; and at 480 KB a second less
 * than a job may report, so that nothing is left out.
 */
const HEAVY: Work = { steps: 600, stepMs: 25, chunkLength: 12_000 };
const HEAVY_JOBS = 6;

/**
 * What status may grow by while these jobs run. It measured 35 to 60 MB beside a reader that reads, and 140 MB where what
 * one does not read is kept for it.
 */
const GROWTH_MAX_MB = 90;

interface Silenced {
  proxy: FaultProxy;
  witness: Witness;
  naive: Unprotected;
}

let stage: Stage;
const silenced: Silenced[] = [];

/** Heartbeats take their time, so that these connections are silenced first and looked at last. */
beforeAll(async () => {
  stage = await startStage();
  const jobs = await stage.submit(DIRECTIONS.length, BRIEF);
  for (const job of jobs) {
    const proxy = await openProxy(stage.statuses.map(({ url }) => url));
    silenced.push({
      proxy,
      witness: witness(createClient({ baseUrl: proxy.url }), job),
      naive: await joinOnce(proxy.url, job),
    });
  }
  await stage.go();
  await until('all jobs to be under way', () => silenced.every((each) => linesOf(each.witness) > 10));
  for (const [index, direction] of DIRECTIONS.entries()) silenced[index]?.proxy.silence(direction);
});

afterAll(async () => {
  for (const { proxy, witness, naive } of silenced) {
    witness.client.close();
    await naive[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  }
  await stage[Symbol.asyncDispose]();
});

function linesOf({ history }: Witness): number {
  return history.at(-1)?.lines ?? 0;
}

async function expectTruth(witnesses: readonly Witness[]): Promise<void> {
  const ends = await Promise.all(witnesses.map(({ watch }) => watch.done));
  expect(ends.flatMap((end, index) => flaws(toldBy(end), wholeTruth((witnesses[index] as Witness).job)))).toEqual([]);
  expect(witnesses.flatMap(({ history }) => stepsBack(history))).toEqual([]);
}

async function residentMb(): Promise<number> {
  const { body } = await call<string>(stage.spillway.status.url, 'GET', '/metrics');
  return Number(/^process_resident_memory_bytes\S* (\S+)/m.exec(body)?.[1]) / 1e6;
}

/** Follows the heavy jobs to their ends and the light ones beside them; resolves with the memory that it took. */
async function peakWhile(run: (heavy: LinesJob[], light: LinesJob[]) => Promise<unknown>): Promise<number> {
  const heavy = await stage.submit(HEAVY_JOBS, HEAVY);
  const light = await stage.submit(10, LIGHT);
  let peak = 0;
  let over = false;
  const running = run(heavy, light).finally(() => {
    over = true;
  });
  await until(
    'the jobs to end',
    async () => {
      peak = Math.max(peak, await residentMb());
      return over;
    },
    60_000,
  );
  await running;
  return peak;
}

test('a reader that stops reading costs little memory, disturbs nobody, and gets everything in the end', async () => {
  const { url } = stage.spillway.status;
  await using line = await openProxy([url]);
  const slow = createClient({ baseUrl: line.url });
  const neighbours = Array.from({ length: 100 }, () => createClient({ baseUrl: url }));
  stage.spillway.sandbox.defer(() => {
    for (const client of [slow, ...neighbours]) client.close();
  });
  let slowOnes: Witness[] = [];
  const before = await residentMb();
  const peak = await peakWhile(async (heavy, light) => {
    slowOnes = heavy.map((job) => witness(slow, job));
    const healthy = neighbours.map((client, index) => witness(client, light[index % light.length] as LinesJob));
    await until('everybody to watch', () => [...slowOnes, ...healthy].every(({ watch }) => watch.current));
    await stage.go();
    await until('the heavy jobs to be under way', () => slowOnes.every((each) => linesOf(each) > 10));
    line.stall();
    await expectTruth(healthy);
    expect(healthy.filter(({ history }) => history.at(-1)?.connects !== 1)).toEqual([]);
    const control = createClient({ baseUrl: stage.spillway.url });
    await Promise.all(heavy.map(({ id }) => control.result(id)));
  });
  expect(peak - before).toBeLessThan(GROWTH_MAX_MB);
  expect(slowOnes.filter((each) => linesOf(each) === HEAVY.steps)).toEqual([]);
  line.heal();
  await expectTruth(slowOnes);
}, 120_000);

test('connections that die without a word are given up, and the watchers come back to the whole truth', async () => {
  await expectTruth(silenced.map((each) => each.witness));
  expect(silenced.map(({ witness }) => witness.history.at(-1)?.connects)).toEqual([2, 2]);
  expect(silenced.map(({ naive }) => naive.missing > 0)).toEqual([true, true]);
});
