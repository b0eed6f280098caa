import { once } from 'node:events';
import http from 'node:http';

/** @typedef {{ id: string, state: string, attempt: number, worker?: string, result?: any, error?: unknown }} Job */
/** @typedef {ReturnType<typeof createApi>} Api */

const FINAL = new Set(['completed', 'failed', 'cancelled']);

/**
 * The few calls of api that the test needs. Each throws when the reply is no success.
 * @param {string} baseUrl
 */
export function createApi(baseUrl) {
  /** @param {string} path @param {RequestInit} [init] */
  const request = async (path, init) => {
    const reply = await fetch(new URL(path, baseUrl), { ...init, signal: AbortSignal.timeout(10_000) });
    if (!reply.ok) throw new Error(`${init?.method ?? 'GET'} ${path}: ${reply.status} ${await reply.text()}`);
    return reply;
  };
  /** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
  const json = async (path, init) => (await request(path, init)).json();

  return {
    request,
    /** @param {string} type @param {unknown} input @returns {Promise<Job>} */
    submit: (type, input) =>
      json('/v1/jobs', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ type, input }),
      }),
    /** @param {string} id @returns {Promise<Job>} */
    job: (id) => json(`/v1/jobs/${id}`),
    /** @returns {Promise<string[]>} ids of the workers that are alive */
    workers: async () => (await json('/v1/workers')).workers.map((/** @type {{ id: string }} */ worker) => worker.id),
    /** @param {Blob} content @param {string} name @returns {Promise<{ ref: string }>} */
    upload: (content, name) => {
      const form = new FormData();
      form.append('file', content, name);
      return json('/v1/files', { method: 'POST', body: form });
    },
    /** @returns {Promise<string | undefined>} the protocol that the live connection was upgraded to */
    async upgrade() {
      const call = http.get(new URL('/socket.io/?EIO=4&transport=websocket', baseUrl), {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': Buffer.alloc(16).toString('base64'),
        },
        signal: AbortSignal.timeout(10_000),
      });
      call.once('response', (reply) => call.destroy(new Error(`expected an upgrade, got ${reply.statusCode}`)));
      const [reply, socket] = await once(call, 'upgrade');
      socket.destroy();
      return reply.headers.upgrade;
    },
  };
}

/** @param {Job} job */
function isFinal(job) {
  return FINAL.has(job.state);
}

/**
 * Submits jobs, and reads those again that have not ended.
 * @param {Api} api
 */
export function createJobs(api) {
  /** @type {Map<string, Job>} */
  const jobs = new Map();
  const all = () => [...jobs.values()];
  const unfinished = () => all().filter((job) => !isFinal(job));
  return {
    all,
    /** @param {number} count @param {string} type @param {unknown} input */
    async submit(count, type, input) {
      const submitted = await Promise.all(Array.from({ length: count }, () => api.submit(type, input)));
      for (const job of submitted) jobs.set(job.id, job);
    },
    /** @returns {Promise<Job[]>} those that have still not ended */
    async refresh() {
      const fresh = await Promise.all(unfinished().map((job) => api.job(job.id)));
      for (const job of fresh) jobs.set(job.id, job);
      return unfinished();
    },
    /** @returns {Map<string, number>} how many jobs each worker took */
    shares() {
      const shares = new Map();
      for (const { worker } of all()) if (worker) shares.set(worker, (shares.get(worker) ?? 0) + 1);
      return shares;
    },
  };
}
