import { Redis } from 'ioredis';

/**
 * What happened to one job, in the order of its queue's event stream: who wrote chunks (one entry for as long as it was
 * the same run), how it ended, and whether it was set going again after that.
 * @typedef {{ chunk: string } | { end: string, run?: string } | { after: string }} Happening
 */

/** The queue's stream, as packages/queue names it. */
const STREAM = 'spillway:{chaos}:events';
const BATCH = 2000;
const BLOCK_MS = 500;
const PAUSE_MS = 100;
const SET_GOING = ['waiting', 'active', 'delayed'];

/**
 * Reads the event stream from its beginning, straight from Redis and by no means of Spillway's: the accountant must not
 * depend on what it judges.
 */
export class EventTail {
  /** By job. @type {Map<string, Happening[]>} */
  trails = new Map();
  /** How often history was trimmed before it could be read. */
  gaps = 0;
  ended = 0;
  #redis;
  #position = '0-0';
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
    const answer = await this.#redis.xread('COUNT', BATCH, 'BLOCK', BLOCK_MS, 'STREAMS', STREAM, this.#position);
    const entries = answer?.[0]?.[1] ?? [];
    if (entries.length === BATCH) await this.#lookForGap();
    for (const [position, fields] of entries) {
      this.#position = position;
      this.#take(fields);
    }
  }

  /** Only a reader that is behind can be overtaken by trimming. */
  async #lookForGap() {
    const [oldest] = await this.#redis.xrange(STREAM, '-', '+', 'COUNT', 1);
    if (this.#position !== '0-0' && oldest && isBefore(this.#position, oldest[0])) this.gaps += 1;
  }

  /** @param {string[]} flat */
  #take(flat) {
    const fields = pairs(flat);
    const id = fields.jobId;
    if (!id) return;
    const trail = this.trails.get(id) ?? [];
    if (trail.length === 0) this.trails.set(id, trail);
    const happenings = happeningsOf(fields);
    for (const happening of happenings) {
      if ('end' in happening) this.ended += 1;
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
