// Gathers what the accountant looks at, once all is quiet again.
import { createReadStream, readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFinal } from './accountant.mjs';
import { callUntilAnswered } from './load/call.mjs';
import { QUEUES } from './queues.mjs';

/** @typedef {import('./accountant.mjs').Ended} Ended */

const LOOK_MS = 250;
const PAGE = 100;
const AT_ONCE = 20;

/**
 * Waits until the ends of all jobs were told, for as long as `withinMs`. What was not told in time is asked for later.
 * @param {string[]} ids
 * @param {import('./event-tail.mjs').EventTail} tail
 * @param {number} withinMs
 * @param {AbortSignal} stop
 * @returns {Promise<number>} how many had not ended when the time was over
 */
export async function untilDrained(ids, tail, withinMs, stop) {
  const deadline = Date.now() + withinMs;
  let open = ids;
  for (;;) {
    open = open.filter((id) => !tail.hasEnded(id));
    if (open.length === 0 || Date.now() > deadline) return open.length;
    await sleep(LOOK_MS, undefined, { signal: stop });
  }
}

/** @param {string[]} files of JSON lines @returns {Promise<any[]>} */
export async function readLines(files) {
  const lines = [];
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file) })) lines.push(JSON.parse(line));
  }
  return lines;
}

/** What all handlers wrote down, in the order of time. @param {string} folder @returns {Promise<import('./accountant.mjs').Mark[]>} */
export async function readMarks(folder) {
  const files = readdirSync(folder).filter((name) => name.startsWith('marks-'));
  const marks = await readLines(files.map((name) => path.join(folder, name)));
  return marks.sort((a, b) => a.at - b.at);
}

/**
 * Every job as the API shows it: the list first, and by itself what the list does not have.
 * @param {string} url
 * @param {string[]} ids
 * @returns {Promise<Map<string, Ended>>}
 */
export async function readJobs(url, ids) {
  /** @type {Map<string, Ended>} */
  const jobs = new Map();
  for (const queue of QUEUES) {
    for await (const { id, state, error } of listJobs(url, `queue=${queue}`)) jobs.set(id, { state, error });
  }
  const missing = ids.filter((id) => !jobs.has(id));
  for (let from = 0; from < missing.length; from += AT_ONCE) {
    await Promise.all(missing.slice(from, from + AT_ONCE).map((id) => readJob(url, id, jobs)));
  }
  return jobs;
}

/**
 * The jobs of schedules, once all that were due have come and ended, or `withinMs` is over.
 * @param {string} url
 * @param {import('./setup.mjs').Scheduled[]} scheduled
 * @param {number} withinMs
 * @param {AbortSignal} stop
 * @returns {Promise<import('./accountant.mjs').TickedSchedule[]>}
 */
export async function readTicks(url, scheduled, withinMs, stop) {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const ticked = [];
    for (const schedule of scheduled) {
      const jobs = [];
      for await (const { id, createdAt, state } of listJobs(url, `schedule=${schedule.name}`))
        jobs.push({ id, tick: Date.parse(createdAt), state });
      ticked.push({ ...schedule, jobs });
    }
    const isOver = ticked.every(({ limit, jobs }) => jobs.filter(({ state }) => isFinal(state)).length >= limit);
    if (isOver || Date.now() > deadline) return ticked;
    await sleep(LOOK_MS, undefined, { signal: stop });
  }
}

/** @param {string} url @param {string} filter @returns {AsyncGenerator<any>} */
async function* listJobs(url, filter) {
  for (let cursor = ''; ; ) {
    const { status, body } = await callUntilAnswered(`${url}/v1/jobs?${filter}&limit=${PAGE}${cursor}`, {});
    if (status !== 200) throw new Error(`expected the list of jobs in the end, got ${status}: ${JSON.stringify(body)}`);
    yield* body.jobs;
    if (!body.next) return;
    cursor = `&cursor=${encodeURIComponent(body.next)}`;
  }
}

/**
 * Batches as the API counts them, each once.
 * @param {string} url
 * @param {{ id: string, jobs: string[] }[]} told
 * @returns {Promise<import('./accountant.mjs').CountedBatch[]>}
 */
export async function readBatches(url, told) {
  const batches = [...new Map(told.map((batch) => [batch.id, batch])).values()];
  const counted = [];
  for (const { id, jobs } of batches) {
    const { status, body } = await callUntilAnswered(`${url}/v1/batches/${id}`, {});
    counted.push({ id, jobs, counts: status === 200 ? body : undefined });
  }
  return counted;
}

/** @param {string} url @param {string} id @param {Map<string, Ended>} jobs */
async function readJob(url, id, jobs) {
  const { status, body } = await callUntilAnswered(`${url}/v1/jobs/${id}`, {});
  if (status === 0) throw new Error(`expected job ${id} in the end, got no answer: ${body.code}`);
  jobs.set(id, status === 200 ? { state: body.state, error: body.error } : { state: `HTTP ${status}` });
}
