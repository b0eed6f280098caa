import { Redis } from 'ioredis';
import { QUEUES } from './queues.mjs';

/**
 * What happened to one job, in the order of its queue's event stream: who wrote chunks (one entry for as long as it was
 * the same run), how it ended, and whether it was set going again after that.
 * @typedef {{ chunk: string } | { end: string, run?: string } | { after: string }} Happening
 */

/** The stream of each queue, as packages/queue names it. */
const STREAMS = QUEUES.map((queue) => `spillway:{${queue}}:events`);
const BATCH = 2000;
const BLOCK_MS = 500;
const PAUSE_MS = 100;
const SET_GOING = ['waiting', 'active', 'delayed'];

/**
 * From the first event of a job to its last end, 0 where none was told: numbers that count the events of all queues as they
 * were read, so they put the jobs of one queue in order.
 * @typedef {{ began: number, ended: number }} Life
 */

/**
 * Reads the event streams from their beginning, straight from Redis and by no means of Spillway's: the accountant must not
 * depend on what it judges.
 */
export class EventTail {
  /** By job. @type {Map<string, Happening[]>} */
  trails = new Map();
  /** By job. @type {Map<string, Life>} */
  lives = new Map();
  /** How often history was trimmed before it could be read. */
  gaps = 0;
  #redis;
  #positions = STREAMS.map(() => '0-0');
  #read = 0;
  #closed = false;

  /** @param {string} url */
  constructor(url) {
    this.#redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 100 });
    this.#redis.on('error', () => {}); // refused while Redis is down, which is what this is about
    void this.#follow();
  }

  close() {
    this.#closed = true;
    this.#redis.disconnect();
  }

  /** @param {string} id @returns {boolean} whether its end was told */
  hasEnded(id) {
    return this.trails.get(id)?.some((happening) => 'end' in happening) ?? false;
  }

  async #follow() {
    while (!this.#closed) {
      try {
        await this.#look();
      } catch {
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  async #look() {
    const answer = await this.#redis.xread(
      'COUNT',
      BATCH,
      'BLOCK',
      BLOCK_MS,
      'STREAMS',
      ...STREAMS,
      ...this.#positions,
    );
    for (const [stream, entries] of answer ?? []) {
      const at = STREAMS.indexOf(stream);
      if (entries.length === BATCH) await this.#lookForGap(at);
      for (const [position, fields] of entries) {
        this.#positions[at] = position;
        this.#take(fields);
      }
    }
  }

  /** Only a reader that is behind can be overtaken by trimming. @param {number} at */
  async #lookForGap(at) {
    const position = this.#positions[at] ?? '0-0';
    const [oldest] = await this.#redis.xrange(STREAMS[at] ?? '', '-', '+', 'COUNT', 1);
    if (position !== '0-0' && oldest && isBefore(position, oldest[0])) this.gaps += 1;
  }

  /** @param {string[]} flat */
  #take(flat) {
    const fields = pairs(flat);
    const id = fields.jobId;
    if (!id) return;
    const trail = this.trails.get(id) ?? [];
    if (trail.length === 0) this.trails.set(id, trail);
    this.#read += 1;
    const life = this.lives.get(id) ?? { began: this.#read, ended: 0 };
    if (life.began === this.#read) this.lives.set(id, life);
    for (const happening of happeningsOf(fields)) {
      if ('end' in happening) life.ended = this.#read;
      if (tellsMore(trail, happening)) trail.push(happening);
    }
  }
}

/** @param {Record<string, string>} fields @returns {Happening[]} */
function happeningsOf(fields) {
  const { event = '' } = fields;
  if (fields.output) return JSON.parse(fields.output).map((/** @type {{ run: string }} */ { run }) => ({ chunk: run }));
  if (event === 'completed') return [{ end: event, run: JSON.parse(fields.returnvalue ?? 'null')?.run }];
  if (event === 'failed') return [{ end: event }];
  return SET_GOING.includes(event) ? [{ after: event }] : [];
}

/** A run that says one more thing is no news, and that a job waits or runs is one only after its end. @param {Happening[]} trail @param {Happening} next */
function tellsMore(trail, next) {
  const last = trail.at(-1);
  if ('after' in next) return trail.some((happening) => 'end' in happening);
  return !('chunk' in next && last && 'chunk' in last && last.chunk === next.chunk);
}

/** @param {string[]} flat @returns {Record<string, string>} */
function pairs(flat) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (let index = 0; index < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  return fields;
}

/** @param {string} one @param {string} other positions `<ms>-<n>` */
function isBefore(one, other) {
  const [ms = 0, n = 0] = one.split('-').map(Number);
  const [otherMs = 0, otherN = 0] = other.split('-').map(Number);
  return ms < otherMs || (ms === otherMs && n < otherN);
}
