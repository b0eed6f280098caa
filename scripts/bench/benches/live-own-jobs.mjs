import { openMeter } from '../cpu.mjs';
import { startLoad } from '../load.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';
import { crowdParts, gather, LIVE, shares, submitJobs, usPerEvent } from './crowd.mjs';
import { foreignPercent, foreignRow } from './figures.mjs';

/** As a job with a progress bar reports: ten times a second. */
const PER_JOB = 10;
/** Nothing is under way any more when nothing has come for this long. */
const GRACE_MS = 3_000;

export function ownJobs({ quick }) {
  const watchers = quick ? 200 : 1_000;
  const seconds = quick ? { warmUp: 1, measured: 2 } : { warmUp: 2, measured: 10 };
  const perSecond = watchers * PER_JOB;
  return {
    id: 'live-own-jobs',
    title: `Own jobs: ${watchers.toLocaleString('en')} watchers, each with a job of its own, ${perSecond.toLocaleString('en')} events per second in all for ${seconds.measured} s, straight to ${LIVE}`,
    connections: watchers,
    systems: [naive, spillway],
    targets: [
      { key: 'lost', valueMax: 0 },
      // Snapshots make up for a process that cannot keep up with the stream; one that needs them is not fast enough.
      { key: 'caughtUp', valueMax: 0 },
      // Half a core at the full rate; a short run has a fifth of it.
      ...(quick ? [] : [{ key: 'core.live', valueMax: 50 }]),
    ],
    rows: [
      { key: 'core.live', title: `CPU of ${LIVE}, % of a core`, digits: 0 },
      { key: 'perEvent', title: `CPU of ${LIVE}, us per event`, digits: 0 },
      { key: 'lost', title: 'events lost, %', digits: 2, ratio: false },
      { key: 'caughtUp', title: 'events that came late, in a snapshot, %', digits: 2, ratio: false },
      { key: 'p50', title: 'stream to socket p50, ms', digits: 0 },
      { key: 'p99', title: 'stream to socket p99, ms', digits: 0 },
      { key: 'rate', title: 'events written per second', digits: 0, ratio: false },
      { key: 'frames', title: 'frames received per second', digits: 0 },
      { key: 'core.redis', title: 'CPU of redis, % of a core', digits: 0 },
      { key: 'core.watchers', title: 'CPU of the watchers, % of a core', digits: 0 },
      { key: 'core.feeder', title: 'CPU of the feeder, % of a core', digits: 0 },
      foreignRow,
    ],
    measure: (context) => measure(context, watchers, seconds),
  };
}

async function measure({ stage, redis, system }, count, seconds) {
  const crowd = await gather({ stage, system }, count);
  const jobs = await submitJobs(system.submit('noop'), count);
  await crowd.open();
  await crowd.order('watch', { jobs });
  const feeder = await startLoad(stage, 'feeder');
  const feed = { redisUrl: redis.url, stream: system.stream, jobs, perSecond: count * PER_JOB };
  const [warmUp, measured] = [seconds.warmUp, seconds.measured].map((s) => s * PER_JOB);
  await feeder.run({ ...feed, each: warmUp });
  await crowd.order('settle', { each: warmUp, graceMs: GRACE_MS });
  await crowd.order('reset');

  const parts = crowdParts(system, { watchers: crowd.pid, feeder: feeder.pid });
  const meter = openMeter(parts, stage.pids());
  const { written, elapsedMs } = await feeder.run({ ...feed, each: measured });
  const { missing, settledMs } = await crowd.order('settle', { each: warmUp + measured, graceMs: GRACE_MS });
  const reading = meter.read();
  const came = await crowd.order('read');
  return {
    ...shares(reading, elapsedMs),
    perEvent: usPerEvent(reading, came),
    lost: (missing / written) * 100,
    caughtUp: (came.caughtUp / written) * 100,
    p50: came.p50Ms,
    p99: came.p99Ms,
    rate: (written * 1000) / elapsedMs,
    frames: (came.frames * 1000) / (elapsedMs + settledMs),
    ...foreignPercent(reading),
  };
}
