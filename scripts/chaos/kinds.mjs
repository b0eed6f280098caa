// What is promised of some kinds of jobs only. Pure, as the accountant whose lines these are.

/** @typedef {import('./accountant.mjs').History} History */
/** @typedef {import('./accountant.mjs').Mark} Mark */
/** @typedef {import('./accountant.mjs').Finding} Finding */

/** A process that lost its worker has two seconds to return before it is killed; the machine is busy. */
const OUTLIVES_MS = 5000;

/** A result that no run of the job gave: jobs that share a run, an isolate or a key were taken for each other. @param {History} history @returns {Finding[]} */
export function findForeignEnds({ trails, marks }) {
  const jobOf = new Map(marks.map(({ run, job }) => [run, job]));
  return [...trails].flatMap(([job, trail]) =>
    trail.flatMap((happening) => {
      if (!('end' in happening) || happening.run === undefined || jobOf.get(happening.run) === job) return [];
      return [{ job, what: `${happening.run} was a run of ${jobOf.get(happening.run) ?? 'nothing that is known'}` }];
    }),
  );
}

/** A parent that ran before a child's effect, or was told something else of a child than what became of it. @param {History} history @returns {Finding[]} */
export function findEarlyParents({ parents, marks, trails, jobs }) {
  const effectAt = new Map(marks.flatMap(({ run, phase, at }) => (phase === 'effect' ? [[run, at]] : [])));
  const marksOf = groupBy(marks, ({ job }) => job);
  const lastRun = (/** @type {string} */ id) => {
    const end = trails.get(id)?.findLast((happening) => 'end' in happening);
    return end && 'end' in end ? end.run : undefined;
  };
  const judgeMark = (/** @type {Mark} */ mark, /** @type {string[]} */ children) => {
    if (mark.phase === 'start') {
      const late = children.find((child) => (effectAt.get(lastRun(child) ?? '') ?? 0) > mark.at);
      return late && `began before ${late} had its effect`;
    }
    if (mark.phase !== 'effect') return undefined;
    const told = mark.children?.map(({ id, state, run }) => `${id} ${state} ${run ?? ''}`).join(', ');
    const now = children.map((id) => `${id} ${jobs.get(id)?.state} ${lastRun(id) ?? ''}`).join(', ');
    return told === now ? undefined : `was told ${told}, but it is ${now}`;
  };
  return parents.flatMap(({ id, children }) => {
    const what = (marksOf.get(id) ?? []).map((mark) => judgeMark(mark, children)).find(Boolean);
    return what ? [{ job: id, what }] : [];
  });
}

/** The work of a step that was remembered, done by a run that began after that; or two values of one step. @param {History} history @returns {Finding[]} */
export function findRepeatedSteps({ marks }) {
  const began = new Map(marks.flatMap(({ run, phase, at }) => (phase === 'start' ? [[run, at]] : [])));
  const steps = groupBy(
    marks.filter(({ step }) => step !== undefined),
    ({ job, step }) => `${job} ${step}`,
  );
  return [...steps.values()].flatMap((ofStep) => {
    const first = ofStep.find(({ phase }) => phase === 'stepped');
    if (!first) return [];
    const { job, step, value, at } = first;
    const other = ofStep.find((mark) => mark.phase === 'stepped' && mark.value !== value);
    if (other) return [{ job, what: `step ${step} gave ${value} and ${other.value}` }];
    const again = ofStep.find((mark) => mark.phase === 'step' && (began.get(mark.run) ?? 0) > at);
    return again ? [{ job, what: `step ${step} was remembered by ${first.run}, and run by ${again.run}` }] : [];
  });
}

/** Jobs with one dedupe key, of which a later one was stored before the earlier one had ended. @param {History} history @returns {Finding[]} */
export function findStandIns({ accepted, marks, lives }) {
  /** @type {Map<string, Set<string>>} */
  const idsOf = new Map();
  const add = (/** @type {string | undefined} */ dedupe, /** @type {string} */ id) =>
    dedupe !== undefined && idsOf.set(dedupe, (idsOf.get(dedupe) ?? new Set()).add(id));
  for (const { dedupe, id } of accepted) add(dedupe, id);
  for (const { dedupe, job } of marks) add(dedupe, job);
  return [...idsOf].flatMap(([dedupe, ids]) => {
    const known = [...ids].flatMap((id) => {
      const life = lives.get(id);
      return life ? [{ id, ...life }] : [];
    });
    const ordered = known.sort((a, b) => a.began - b.began);
    return ordered.slice(1).flatMap(({ id, began }, index) => {
      const before = ordered[index];
      const stood = before && (before.ended === 0 || before.ended > began);
      return stood ? [{ job: id, what: `stored for ${dedupe} while ${before.id} had not ended` }] : [];
    });
  });
}

/**
 * More jobs of a group at once than its cap. Only runs of which a chunk or the result was taken held the lease; one is over
 * with its own last mark, with the next one of its job, or where neither came (its worker was killed) at once: what is
 * counted is never more than what was.
 * @param {History} history
 * @returns {Finding[]}
 */
export function findExceededCaps({ marks, trails, groupCap }) {
  const grouped = groupBy(
    marks.filter(({ group }) => group !== undefined),
    ({ job }) => job,
  );
  const spans = [...grouped].flatMap(([job, ofJob]) => spansOf(ofJob, holdersOf(trails.get(job))));
  const changes = spans.flatMap(({ group, job, from, to }) => [
    { group, job, at: from, by: 1 },
    { group, job, at: to, by: -1 },
  ]);
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  /** @type {Map<string | undefined, number>} */
  const running = new Map();
  return changes.flatMap(({ group, job, by }) => {
    const now = (running.get(group) ?? 0) + by;
    running.set(group, now);
    return by > 0 && now > groupCap
      ? [{ job, what: `number ${now} of group ${group}, which may run ${groupCap}` }]
      : [];
  });
}

/** @param {import('./event-tail.mjs').Happening[]} [trail] runs that held the lease */
function holdersOf(trail = []) {
  return new Set(
    trail.flatMap((happening) =>
      'chunk' in happening ? [happening.chunk] : 'end' in happening ? [happening.run] : [],
    ),
  );
}

/** @param {Mark[]} marks of one job @param {Set<string | undefined>} holders */
function spansOf(marks, holders) {
  const starts = marks.filter(({ phase, run }) => phase === 'start' && holders.has(run));
  return starts.flatMap(({ group, job, run, at }, index) => {
    const own = marks.find((mark) => mark.run === run && mark.phase !== 'start')?.at;
    const to = Math.min(own ?? Number.POSITIVE_INFINITY, starts[index + 1]?.at ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(to) && to > at ? [{ group, job, from: at, to }] : [];
  });
}

/**
 * A schedule submits for its own ticks only, once for each, until it had as many as it may. Which ones is not judged: of
 * several that are less than ten seconds late, the latest counts (docs/schedules.md).
 * @param {History} history
 * @returns {Finding[]}
 */
export function findWrongTicks({ schedules }) {
  return schedules.flatMap(({ name, startAt, everyMs, limit, jobs }) => {
    const ofTick = groupBy(jobs, ({ tick }) => tick);
    const at = (/** @type {number} */ tick) => new Date(tick).toISOString();
    const doubled = [...ofTick].filter(([, { length }]) => length > 1);
    const strange = jobs.filter(({ tick }) => tick < startAt || (tick - startAt) % everyMs !== 0);
    const unended = jobs.filter(({ state }) => state !== 'completed');
    return [
      ...(ofTick.size === limit ? [] : [{ job: name, what: `${ofTick.size} ticks, not ${limit}` }]),
      ...doubled.map(([tick, { length }]) => ({ job: name, what: `${length} jobs for ${at(tick)}` })),
      ...strange.map(({ id, tick }) => ({ job: id, what: `for ${at(tick)}, when ${name} was not due` })),
      ...unended.map(({ id, state }) => ({ job: id, what: `${state}, of ${name}` })),
    ];
  });
}

/** A process of its own that went on after its worker was killed. @param {History} history @returns {Finding[]} */
export function findOutlived({ marks, kills }) {
  return marks.flatMap(({ parent, job, run, at }) => {
    const kill = kills.find(({ pid, at: killedAt }) => pid === parent && at > killedAt + OUTLIVES_MS);
    return kill ? [{ job, what: `${run} went on for ${at - kill.at} ms after its worker` }] : [];
  });
}

/**
 * @template T, K
 * @param {readonly T[]} items
 * @param {(item: T) => K} keyOf
 * @returns {Map<K, T[]>}
 */
function groupBy(items, keyOf) {
  /** @type {Map<K, T[]>} */
  const groups = new Map();
  for (const item of items) {
    const known = groups.get(keyOf(item));
    if (known) known.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
