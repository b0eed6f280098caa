// Holds what was accepted against what happened. Pure: it judges histories, fabricated ones as well.
import {
  findEarlyParents,
  findExceededCaps,
  findForeignEnds,
  findOutlived,
  findRepeatedSteps,
  findStandIns,
  findWrongTicks,
} from './kinds.mjs';
import { percentile } from './percentile.mjs';

/** @typedef {import('./event-tail.mjs').Happening} Happening */
/** An answer with which a job was accepted. @typedef {{ key: string, id: string, kind: string, dedupe?: string }} Acceptance */
/**
 * What a handler wrote down outside of Redis: that it started, made its effect or failed; that it did the work of a step, and
 * got a value from it.
 * @typedef {object} Mark
 * @property {string} job
 * @property {string} key
 * @property {string} run
 * @property {'start' | 'effect' | 'fail' | 'step' | 'stepped'} phase
 * @property {number} at
 * @property {string} [group]
 * @property {string} [dedupe]
 * @property {number} [step]
 * @property {string} [value] the run that did the work of the step
 * @property {number} [parent] of a process of its own: the worker's pid
 * @property {{ id: string, state: string, run?: string }[]} [children] what a parent was told of its children
 */
/** A job as the API shows it in the end. @typedef {{ state: string, error?: { code: string } }} Ended */

/** A batch, its jobs, and how the API counts them. @typedef {{ id: string, jobs: string[], counts?: Record<string, number> }} CountedBatch */

/** A schedule, and what it submitted. @typedef {import('./setup.mjs').Scheduled & { jobs: { id: string, tick: number, state: string }[] }} TickedSchedule */

/**
 * @typedef {object} History
 * @property {Acceptance[]} accepted
 * @property {{ id: string, state?: string }[]} cancels what cancels were answered
 * @property {{ id: string, done: boolean, calls: number }[]} retries what retries by hand were answered, after so many calls
 * @property {{ id: string, children: string[] }[]} parents in flows
 * @property {TickedSchedule[]} schedules
 * @property {number} groupCap jobs of one group that may run at once
 * @property {Mark[]} marks in the order of time
 * @property {ReadonlyMap<string, Happening[]>} trails by job, from the event streams
 * @property {ReadonlyMap<string, import('./event-tail.mjs').Life>} lives by job
 * @property {ReadonlyMap<string, Ended>} jobs by id, over the API
 * @property {{ id: string, state?: string, run?: string, trouble?: string }[]} watched
 * @property {CountedBatch[]} batches
 * @property {{ pid: number, at: number }[]} kills of workers
 */

/** @typedef {{ job: string, what: string }} Finding */

const FINAL = ['completed', 'failed', 'cancelled'];

/** @param {string | undefined} state */
export function isFinal(state) {
  return state !== undefined && FINAL.includes(state);
}

/**
 * Starts of which a job may lose the worker before the next loss counts as its own fault. One of the losses may be no start
 * at all: a worker that is cut off before it hears that it has the job.
 */
const STARTS_BEFORE_LOST = 3;

/** Every promise, and what breaks it. @type {{ key: string, title: string, find: (history: History) => Finding[] }[]} */
export const PROMISES = [
  { key: 'lost', title: 'lost', find: findLost },
  { key: 'endedTwice', title: 'ended twice', find: findEndedTwice },
  { key: 'concurrentHolders', title: 'concurrent holders', find: findConcurrentHolders },
  { key: 'zombieWrites', title: 'zombie writes visible', find: findZombieWrites },
  { key: 'duplicates', title: 'duplicate jobs', find: findDuplicates },
  { key: 'endsWithoutEffect', title: 'completed without effect', find: findEndsWithoutEffect },
  { key: 'unasked', title: 'failed or cancelled unasked', find: findUnasked },
  { key: 'brokenCancels', title: 'cancelled, but ended otherwise', find: findBrokenCancels },
  { key: 'brokenRetries', title: 'retries by hand that were not one', find: findBrokenRetries },
  { key: 'foreignEnds', title: "ended with another job's result", find: findForeignEnds },
  { key: 'miscounted', title: 'batches counted wrong', find: findMiscounted },
  { key: 'earlyParents', title: 'parents that did not wait', find: findEarlyParents },
  { key: 'repeatedSteps', title: 'remembered steps run again', find: findRepeatedSteps },
  { key: 'standIns', title: 'two live jobs for a dedupe key', find: findStandIns },
  { key: 'exceededCaps', title: 'group caps exceeded', find: findExceededCaps },
  { key: 'wrongTicks', title: 'ticks missing or doubled', find: findWrongTicks },
  { key: 'outlived', title: 'isolates that outlived a worker', find: findOutlived },
  { key: 'missedEnds', title: 'watchers that missed an end', find: findMissedEnds },
];

/**
 * @param {History} history
 * @returns {{ counts: Record<'accepted' | 'completed' | 'failed' | 'cancelled' | 'ticks' | 'watched' | 'zombies' | 'repeatedEffects', number> & { kinds: Record<string, number> }, broken: Record<string, Finding[]>, recovery: Recovery }}
 */
export function judge(history) {
  const states = [...new Set(history.accepted.map(({ id }) => id))].map((id) => history.jobs.get(id)?.state);
  const count = (/** @type {string} */ state) => states.filter((one) => one === state).length;
  return {
    counts: {
      accepted: states.length,
      completed: count('completed'),
      failed: count('failed'),
      cancelled: count('cancelled'),
      kinds: countKinds(history),
      ticks: history.schedules.reduce((sum, { jobs }) => sum + jobs.length, 0),
      watched: history.watched.length,
      zombies: countZombies(history),
      repeatedEffects: countRepeatedEffects(history),
    },
    broken: Object.fromEntries(PROMISES.map(({ key, find }) => [key, find(history)])),
    recovery: measureRecovery(history),
  };
}

/** Jobs of each kind, each once. @param {History} history */
function countKinds({ accepted }) {
  /** @type {Record<string, number>} */
  const counts = {};
  const kinds = new Map(accepted.map(({ id, kind }) => [id, kind]));
  for (const kind of kinds.values()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Accepted, and not at an end when all had time to come to one. @param {History} history */
function findLost({ accepted, jobs }) {
  const ids = new Set(accepted.map(({ id }) => id));
  return [...ids].flatMap((job) => {
    const state = jobs.get(job)?.state ?? 'unknown to the API';
    return FINAL.includes(state) ? [] : [{ job, what: state }];
  });
}

/** Nothing may follow an end, no second one and no start, but where somebody asked for it: see findBrokenRetries. @param {History} history */
function findEndedTwice({ trails, jobs, retries }) {
  const retried = new Set(retries.map(({ id }) => id));
  return findInTrails(trails, (trail, job) => {
    if (retried.has(job)) return undefined;
    const first = trail.findIndex((happening) => 'end' in happening);
    const later = trail.slice(first + 1).find((happening) => !('chunk' in happening));
    if (first < 0) return undefined;
    if (later) return `${describe(trail[first])}, then ${describe(later)}`;
    const told = trail[first];
    const now = jobs.get(job)?.state;
    if (!told || !('end' in told) || !now || !FINAL.includes(now)) return undefined;
    return (told.end === 'completed') === (now === 'completed') ? undefined : `told as ${told.end}, kept as ${now}`;
  });
}

/** Chunks of one run stand before and after one of another: both held the lease. @param {History} history */
function findConcurrentHolders({ trails }) {
  return findInTrails(trails, (trail) => {
    const runs = untilEnd(trail).flatMap((happening) => ('chunk' in happening ? [happening.chunk] : []));
    const back = runs.find((run, index) => runs.indexOf(run) < index);
    return back && `${back} among ${runs.join(', ')}`;
  });
}

/**
 * What a run that no longer held the lease said, and somebody could see: a chunk behind the end, a chunk behind one of a
 * run that began later, or a result of a run that was not the last one to hold the lease.
 * @param {History} history
 */
function findZombieWrites({ trails, marks, retries }) {
  const retried = new Set(retries.map(({ id }) => id));
  const beganAt = new Map(marks.flatMap(({ run, phase, at }) => (phase === 'start' ? [[run, at]] : [])));
  const began = (/** @type {string} */ run) => beganAt.get(run) ?? 0;
  return findInTrails(trails, (whole, job) => {
    const trail = retried.has(job) ? sinceSetGoing(whole) : whole;
    const end = trail.findIndex((happening) => 'end' in happening);
    const late = end < 0 ? undefined : trail.slice(end + 1).find((happening) => 'chunk' in happening);
    if (late) return `${describe(late)} wrote after the end`;
    const runs = trail.flatMap((happening) => runOf(happening) ?? []);
    const stale = runs.findIndex((run, index) => index > 0 && began(run) < began(runs[index - 1] ?? ''));
    return stale < 0 ? undefined : `${runs[stale]} wrote after ${runs[stale - 1]}, which began later`;
  });
}

/** Who said it, where that is known. @param {Happening} happening @returns {string | undefined} */
function runOf(happening) {
  if ('chunk' in happening) return happening.chunk;
  return 'end' in happening ? happening.run : undefined;
}

/** Two jobs for one key, told to a client or only seen by a handler. @param {History} history */
function findDuplicates({ accepted, marks }) {
  /** @type {Map<string, Set<string>>} */
  const idsOfKey = new Map();
  const add = (/** @type {string} */ key, /** @type {string} */ id) =>
    idsOfKey.set(key, (idsOfKey.get(key) ?? new Set()).add(id));
  for (const { key, id } of accepted) add(key, id);
  for (const { key, job } of marks) add(key, job);
  return [...idsOfKey].flatMap(([key, ids]) =>
    [...ids].slice(1).map((job) => ({ job, what: `a further job for ${key}` })),
  );
}

/** Completed, and no handler ever came to its end. @param {History} history */
function findEndsWithoutEffect({ jobs, marks }) {
  const done = new Set(marks.flatMap(({ job, phase }) => (phase === 'effect' ? [job] : [])));
  return [...jobs].flatMap(([job, { state }]) =>
    state === 'completed' && !done.has(job) ? [{ job, what: 'no handler came to its end' }] : [],
  );
}

/** Failed, though its handler would not and its workers were not lost again and again; or cancelled by nobody. @param {History} history */
function findUnasked({ accepted, jobs, marks, parents }) {
  const childrenOf = new Map(parents.map(({ id, children }) => [id, children]));
  // A child that is found here itself is not found again through its parent.
  const hasFailedChild = (/** @type {string} */ job) =>
    childrenOf.get(job)?.some((child) => jobs.get(child)?.state === 'failed') ?? false;
  const starts = new Map();
  for (const { job, phase } of marks) if (phase === 'start') starts.set(job, (starts.get(job) ?? 0) + 1);
  const kinds = new Map(accepted.map(({ id, kind }) => [id, kind]));
  return [...kinds].flatMap(([job, kind]) => {
    const { state, error } = jobs.get(job) ?? {};
    if (state === 'cancelled' && !kind.startsWith('cancel')) return [{ job, what: `${kind}: cancelled` }];
    // One that is to be retried fails first: findBrokenRetries looks at it.
    if (state !== 'failed' || kind === 'failing' || kind === 'retried') return [];
    if (error?.code === 'child_failed' && hasFailedChild(job)) return [];
    if (error?.code === 'lost_worker' && starts.get(job) >= STARTS_BEFORE_LOST) return [];
    return [{ job, what: `${kind}: ${JSON.stringify(error)} after ${starts.get(job) ?? 0} starts` }];
  });
}

/** @param {History} history */
function findBrokenCancels({ cancels, jobs }) {
  return cancels.flatMap(({ id, state }) => {
    const now = jobs.get(id)?.state;
    return state === 'cancelled' && now !== 'cancelled' ? [{ job: id, what: `ended as ${now}` }] : [];
  });
}

/**
 * A retry that was confirmed and set nothing going, or one that did so more often than it was called: a call whose answer was
 * lost may have been heard.
 * @param {History} history
 */
function findBrokenRetries({ retries, trails, jobs }) {
  return retries.flatMap(({ id, done, calls }) => {
    const ends = trails.get(id)?.filter((happening) => 'end' in happening).length ?? 0;
    const state = jobs.get(id)?.state;
    if (ends > 1 + calls) return [{ job: id, what: `${ends} ends after ${calls} calls` }];
    return done && (ends < 2 || state !== 'completed') ? [{ job: id, what: `${ends} ends, now ${state}` }] : [];
  });
}

/** The counts of a batch are not those of its jobs. @param {History} history */
function findMiscounted({ batches, jobs }) {
  return batches.flatMap(({ id, jobs: members, counts }) => {
    const states = members.map((member) => jobs.get(member)?.state);
    const count = (/** @type {string} */ state) => states.filter((one) => one === state).length;
    const ended = Object.fromEntries(FINAL.map((state) => [state, count(state)]));
    const expected = {
      total: members.length,
      open: states.filter((one) => !FINAL.includes(one ?? '')).length,
      ...ended,
    };
    const wrong = Object.entries(expected).filter(([name, number]) => counts?.[name] !== number);
    return wrong.length === 0
      ? []
      : [{ job: id, what: wrong.map(([name, number]) => `${name} is ${counts?.[name]}, not ${number}`).join(', ') }];
  });
}

/** @param {History} history */
function findMissedEnds({ watched, jobs }) {
  return watched.flatMap(({ id, state, trouble }) => {
    const now = jobs.get(id)?.state;
    return state === now ? [] : [{ job: id, what: `saw ${state ?? trouble ?? 'no end'}, but it is ${now}` }];
  });
}

/** At least once is what is promised for effects outside of Redis: how often it was more. @param {History} history */
function countRepeatedEffects({ marks }) {
  const effects = marks.filter(({ phase }) => phase === 'effect').map(({ job }) => job);
  return effects.length - new Set(effects).size;
}

/** Runs that went on after another one of their job had begun: how often there was something to be fenced off. @param {History} history */
function countZombies({ marks }) {
  /** Who began last. @type {Map<string, string>} */
  const latest = new Map();
  const zombies = new Set();
  for (const { job, run, phase } of marks) {
    if (phase === 'start') latest.set(job, run);
    else if (latest.get(job) !== run) zombies.add(run);
  }
  return zombies.size;
}

/** @typedef {{ jobs: number, p50Ms: number | undefined, p99Ms: number | undefined, maxMs: number | undefined }} Recovery */

/**
 * From the kill of a worker to the next start of each job that it was running.
 * @param {History} history
 * @returns {Recovery}
 */
function measureRecovery({ marks, kills }) {
  /** @type {Map<string, Mark[]>} */
  const byJob = new Map();
  for (const mark of marks) {
    const known = byJob.get(mark.job);
    if (known) known.push(mark);
    else byJob.set(mark.job, [mark]);
  }
  const times = [...byJob.values()].flatMap((ofJob) => kills.flatMap((kill) => recoveryOf(ofJob, kill) ?? []));
  return {
    jobs: times.length,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    maxMs: percentile(times, 1),
  };
}

/** @param {Mark[]} marks of one job @param {{ pid: number, at: number }} kill @returns {number | undefined} */
function recoveryOf(marks, { pid, at }) {
  const last = marks.findLast(({ run, at: when }) => run.startsWith(`${pid}.`) && when <= at);
  if (last?.phase !== 'start') return undefined;
  const next = marks.find(({ phase, run, at: when }) => phase === 'start' && run !== last.run && when >= at);
  return next && next.at - at;
}

/** What came after the job was last set going again. @param {Happening[]} trail */
function sinceSetGoing(trail) {
  return trail.slice(trail.findLastIndex((happening) => 'after' in happening) + 1);
}

/** @param {Happening[]} trail */
function untilEnd(trail) {
  const end = trail.findIndex((happening) => 'end' in happening);
  return end < 0 ? trail : trail.slice(0, end);
}

/**
 * @param {ReadonlyMap<string, Happening[]>} trails
 * @param {(trail: Happening[], job: string) => string | undefined} look
 * @returns {Finding[]}
 */
function findInTrails(trails, look) {
  return [...trails].flatMap(([job, trail]) => {
    const what = look(trail, job);
    return what ? [{ job, what }] : [];
  });
}

/** @param {Happening | undefined} happening */
function describe(happening) {
  if (!happening) return 'nothing';
  if ('end' in happening) return `${happening.end}${happening.run ? ` by ${happening.run}` : ''}`;
  return 'after' in happening ? happening.after : happening.chunk;
}
