import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { say } from '../say.mjs';
import { judge } from './accountant.mjs';
import { openCast } from './cast.mjs';
import { EventTail } from './event-tail.mjs';
import { makeFaults } from './faults.mjs';
import { readBatches, readJobs, readLines, readMarks, readTicks, untilDrained } from './history.mjs';
import { startLoad } from './load.mjs';
import { planFaults } from './plan.mjs';
import { GROUP_CAP } from './queues.mjs';
import { capGroups, putSchedules, untilTypesKnown } from './setup.mjs';
import { internalErrors, printReport } from './table.mjs';

/** @typedef {import('./options.mjs').ChaosOptions} ChaosOptions */
/** @typedef {import('../start/running.mjs').Running} Running */

/** The last jobs are delayed by up to 8 s, and a lease and a silent connection take 15 s each to be noticed. */
const DRAIN_MS = 90_000;
const WATCHERS_MS = 30_000;
const TICKS_MS = 30_000;

/**
 * One run: load and faults, then the account.
 * @param {ChaosOptions} options
 * @param {Running} running takes what has to be ended
 * @param {AbortSignal} stop
 * @returns {Promise<boolean>} whether every promise was kept; what tells why not stays on disk then
 */
export async function runChaos(options, running, stop) {
  const folder = mkdtempSync(path.join(tmpdir(), 'spillway-chaos-'));
  let kept = true;
  const remove = () => kept && rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  running.add({ stop: async () => void remove(), kill: remove });
  say(`chaos: ${options.seconds} s, ${options.rate} jobs/s, seed ${options.seed}`);

  const report = await perform(options, { folder, running, stop });
  kept = report.kept;
  printReport(report, options);
  if (!kept) say(`logs and records: ${folder}`);
  return kept;
}

/** @param {ChaosOptions} options @param {{ folder: string, running: Running, stop: AbortSignal }} stage */
async function perform(options, { folder, running, stop }) {
  const cast = await openCast({ folder, workers: options.workers, running, stop });
  const tail = new EventTail(cast.redisUrl);
  running.add({ stop: async () => tail.close(), kill: () => {} });
  await untilTypesKnown(cast.url, stop);
  await capGroups(cast.url);

  const plan = planFaults({ ...options, targets: cast.targets() });
  const scheduled = await putSchedules(cast.url, options.seconds);
  const load = await startLoad({ folder, url: cast.url, options, running });
  const ended = new Promise((_, reject) => stop.addEventListener('abort', () => reject(stop.reason)));
  const [faults, stats] = await Promise.race([
    Promise.all([makeFaults(plan, cast, stop), load.submitted]),
    /** @type {Promise<never>} */ (ended),
  ]);

  const answers = await readLines(load.files);
  const said = (/** @type {string} */ what) => answers.filter((answer) => answer.say === what);
  const accepted = said('accepted');
  const ids = [...new Set(accepted.map(({ id }) => id))];
  say(`${ids.length} jobs accepted: waiting for their ends …`);
  const undrained = await untilDrained(ids, tail, DRAIN_MS, stop);
  const watched = await load.watched(undrained > 0 ? 0 : WATCHERS_MS);
  const schedules = await readTicks(cast.url, scheduled, undrained > 0 ? 0 : TICKS_MS, stop);
  const jobs = await readJobs(cast.url, ids);
  const verdict = judge({
    accepted,
    cancels: said('cancel'),
    retries: said('retry'),
    parents: said('parent'),
    schedules,
    groupCap: GROUP_CAP,
    marks: await readMarks(folder),
    trails: tail.trails,
    lives: tail.lives,
    jobs,
    watched,
    batches: await readBatches(cast.url, said('batch')),
    kills: faults.filter(({ kind }) => kind === 'worker-kill'),
  });
  return toReport(options, {
    verdict,
    stats,
    acceptedPerSecond: rateOf(accepted, options.seconds),
    refusals: said('refused'),
    faults: faults.map(({ kind, target, atMs, forMs }) => ({ kind, target, atMs, forMs })),
    deaths: cast.deaths,
    gaps: tail.gaps,
  });
}

/**
 * @typedef {object} Account
 * @property {ReturnType<typeof judge>} verdict
 * @property {import('./load.mjs').Stats} stats
 * @property {number} acceptedPerSecond jobs, from the first answer on for as long as they were submitted
 * @property {{ key: string, status: number, code: string }[]} refusals submits that a client gave up
 * @property {import('./plan.mjs').Fault[]} faults
 * @property {string[]} deaths of processes that nobody killed
 * @property {number} gaps how often the event stream was trimmed before it was read: then ends may have been missed
 */

/** @param {ChaosOptions} options @param {Account} account */
function toReport({ seconds, rate, seed }, account) {
  const { verdict, deaths, gaps } = account;
  const broken = Object.values(verdict.broken).some((findings) => findings.length > 0);
  const isQuiet = deaths.length === 0 && gaps === 0 && internalErrors(account) === 0;
  // A run in which nothing was accepted, or of which a part was not seen, has shown nothing.
  const kept = !broken && isQuiet && verdict.counts.accepted > 0;
  return { seconds, rate, seed, kept, ...account };
}

/** @typedef {ReturnType<typeof toReport>} Report */

/** @param {{ id: string, at: number }[]} accepted @param {number} seconds */
function rateOf(accepted, seconds) {
  const from = accepted.reduce((earliest, { at }) => Math.min(earliest, at), Number.POSITIVE_INFINITY);
  const inTime = accepted.filter(({ at }) => at < from + seconds * 1000);
  return new Set(inTime.map(({ id }) => id)).size / seconds;
}
