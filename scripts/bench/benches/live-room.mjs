import { openMeter } from '../cpu.mjs';
import { startLoad } from '../load.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';
import { crowdParts, gather, LIVE, shares, submitJobs, usPerEvent } from './crowd.mjs';
import { foreignPercent, foreignRow } from './figures.mjs';

/** Few and many events per second: what they cost shows whether events are paid for, or frames. */
const RATES = [50, 500];
/** Nothing is under way any more when nothing has come for this long. */
const GRACE_MS = 3_000;

export function room({ quick }) {
  const watchers = quick ? 100 : 1_000;
  const seconds = quick ? 2 : 4;
  return {
    id: 'live-room',
    title: `One room: ${watchers.toLocaleString('en')} watchers of one job, ${RATES.join(' and then ')} events per second for ${seconds} s each, straight to ${LIVE}`,
    connections: watchers,
    systems: [naive, spillway],
    targets: [
      { key: 'lost', valueMax: 0 },
      // Ten times the events in as many frames: what is left to pay for is reading them, and longer frames.
      { key: 'growth', valueMax: 2 },
    ],
    rows: [
      ...RATES.flatMap((rate) => rowsFor(rate)),
      { key: 'growth', title: `CPU at ${RATES[1]} to that at ${RATES[0]} events per second`, digits: 1 },
      { key: 'lost', title: 'events lost, %', digits: 2, ratio: false },
      foreignRow,
    ],
    measure: (context) => measure(context, watchers, seconds),
  };
}

function rowsFor(rate) {
  const at = `at ${rate} events per second`;
  return [
    { key: `core${rate}.live`, title: `${at}: CPU of ${LIVE}, % of a core`, digits: 0 },
    { key: `perEvent${rate}`, title: `${at}: CPU of it, us per delivered event`, digits: 2 },
    { key: `frames${rate}`, title: `${at}: frames per second and watcher`, digits: 1 },
    { key: `p50-${rate}`, title: `${at}: stream to socket p50, ms`, digits: 0 },
    { key: `p99-${rate}`, title: `${at}: stream to socket p99, ms`, digits: 0 },
    { key: `late${rate}`, title: `${at}: the last event came so much after the last was written, ms`, digits: 0 },
    { key: `caughtUp${rate}`, title: `${at}: events that came late, in a snapshot, %`, digits: 2, ratio: false },
    { key: `core${rate}.watchers`, title: `${at}: CPU of the watchers, % of a core`, digits: 0 },
  ];
}

async function measure({ stage, redis, system }, count, seconds) {
  const crowd = await gather({ stage, system }, count);
  const jobs = await submitJobs(system.submit('noop'), 1);
  await crowd.open();
  await crowd.order('watch', { jobs });
  const feeder = await startLoad(stage, 'feeder');
  const feed = { redisUrl: redis.url, stream: system.stream, jobs };
  await feeder.run({ ...feed, perSecond: RATES[0], each: RATES[0] });
  const parts = crowdParts(system, { watchers: crowd.pid });
  const meter = openMeter(parts, stage.pids());

  let each = RATES[0];
  let values = {};
  for (const rate of RATES) {
    await crowd.order('settle', { each, graceMs: GRACE_MS });
    each += rate * seconds;
    values = { ...values, ...(await measureRate(rate, { crowd, feeder, parts, feed, count, each, seconds })) };
  }
  const { missing } = await crowd.order('settle', { each, graceMs: GRACE_MS });
  const [few, many] = RATES.map((rate) => values[`core${rate}.live`]);
  return {
    ...values,
    growth: few ? many / few : undefined,
    lost: (missing / (each * count)) * 100,
    ...foreignPercent(meter.read()),
  };
}

async function measureRate(rate, { crowd, feeder, parts, feed, count, each, seconds }) {
  await crowd.order('reset');
  const meter = openMeter(parts, []);
  const { elapsedMs } = await feeder.run({ ...feed, perSecond: rate, each: rate * seconds });
  const { settledMs } = await crowd.order('settle', { each, graceMs: GRACE_MS });
  const reading = meter.read();
  const came = await crowd.order('read');
  return {
    ...shares(reading, elapsedMs, `core${rate}`),
    [`perEvent${rate}`]: usPerEvent(reading, came),
    [`frames${rate}`]: (came.frames * 1000) / (elapsedMs + settledMs) / count,
    [`p50-${rate}`]: came.p50Ms,
    [`p99-${rate}`]: came.p99Ms,
    [`late${rate}`]: settledMs,
    [`caughtUp${rate}`]: (came.caughtUp / (came.events + came.caughtUp)) * 100,
  };
}
