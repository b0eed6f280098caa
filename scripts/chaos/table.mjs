import { PROMISES } from './accountant.mjs';

/** @typedef {import('./run.mjs').Report} Report */

/** Of each broken promise so many jobs are named. */
const NAMED_MAX = 5;

/** @param {Report} report @param {{ json: boolean }} options */
export function printReport(report, { json }) {
  if (json) process.stdout.write(`${JSON.stringify(toJson(report), null, 2)}\n`);
  else process.stdout.write(`\n${toTable(report)}\n`);
}

/** Findings as counts, and the first of each by name. @param {Report} report */
export function toJson(report) {
  const { verdict, refusals, ...rest } = report;
  const broken = Object.entries(verdict.broken);
  return {
    ...rest,
    ...verdict.counts,
    promises: Object.fromEntries(broken.map(([key, findings]) => [key, findings.length])),
    findings: Object.fromEntries(
      broken.flatMap(([key, findings]) => (findings.length > 0 ? [[key, findings.slice(0, NAMED_MAX)]] : [])),
    ),
    recovery: verdict.recovery,
    submitErrors: countBy(refusals, ({ status, code }) => `${status} ${code}`),
    faultsByKind: countBy(report.faults, ({ kind }) => kind),
  };
}

/** @param {Report} report */
function toTable(report) {
  const { verdict, stats, acceptedPerSecond, refusals, faults, deaths, gaps } = report;
  const { counts, broken, recovery } = verdict;
  const seconds = (/** @type {number | undefined} */ ms) => (ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`);
  /** @type {[string, string | number, string?][]} */
  const rows = [
    ['accepted', counts.accepted],
    ['  per second', acceptedPerSecond.toFixed(1)],
    ...counted(counts.kinds),
    ['ticks of schedules', counts.ticks],
    ['completed', counts.completed],
    ['failed', counts.failed],
    ['cancelled', counts.cancelled],
    ...PROMISES.map(({ key, title }) => judged(title, broken[key]?.length ?? 0)),
    judged('processes that ended by themselves', deaths.length),
    judged('stretches of history that nobody read', gaps),
    judged('answers of 500', internalErrors(report)),
    ['watched to the end', counts.watched],
    [
      'recovery p50 / p99 / max',
      `${seconds(recovery.p50Ms)} / ${seconds(recovery.p99Ms)} / ${seconds(recovery.maxMs)}`,
    ],
    ['  jobs that lost a killed worker', recovery.jobs],
    ['zombies that went on', counts.zombies],
    ['effects made more than once', counts.repeatedEffects],
    ['requests sent again', Object.values(stats.retried).reduce((sum, count) => sum + count, 0)],
    ...counted(stats.retried),
    ['submits given up', refusals.length],
    ...counted(countBy(refusals, ({ status, code }) => `${status} ${code}`)),
    ['turns passed over', stats.passedOver],
    ['faults', faults.length],
    ...counted(countBy(faults, ({ kind }) => kind)),
  ];
  const width = Math.max(...rows.map(([title]) => title.length));
  const lines = rows.map(([title, value, verdictOf = '']) =>
    `${title.padEnd(width)}  ${String(value).padStart(8)}  ${verdictOf}`.trimEnd(),
  );
  return [...lines, '', ...evidence(report), conclusion(report)].join('\n');
}

/** Rows that stand below another one. @param {Record<string, number>} counts @returns {[string, number][]} */
function counted(counts) {
  return Object.entries(counts).map(([name, count]) => [`  ${name}`, count]);
}

/** @param {string} title @param {number} count @returns {[string, number, string]} */
function judged(title, count) {
  return [title, count, count === 0 ? 'ok' : 'BROKEN'];
}

/** @param {Report} report */
function evidence({ verdict, deaths }) {
  const named = PROMISES.flatMap(({ key, title }) =>
    (verdict.broken[key] ?? []).slice(0, NAMED_MAX).map(({ job, what }) => `${title}: ${job}: ${what}`),
  );
  const all = [...named, ...deaths];
  return all.length > 0 ? [...all, ''] : [];
}

/** How often api had no better word than that for what went wrong. @param {Pick<import('./run.mjs').Account, 'stats' | 'refusals'>} account */
export function internalErrors({ stats, refusals }) {
  const answers = Object.entries(stats.retried).filter(([why]) => why.startsWith('500'));
  const last = refusals.filter(({ status }) => status === 500);
  return answers.reduce((sum, [, count]) => sum + count, last.length);
}

/** @param {Report} report */
function conclusion({ kept, seed }) {
  return kept ? `Every promise was kept (seed ${seed}).` : `A PROMISE WAS BROKEN (seed ${seed}).`;
}

/**
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @returns {Record<string, number>}
 */
function countBy(items, keyOf) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}
