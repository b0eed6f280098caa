// What stands before the first job is submitted: types that api knows, a cap for groups, and schedules.
import { callUntilAnswered } from './load/call.mjs';
import { GROUP_CAP, TYPES } from './queues.mjs';

/** A schedule that has `limit` ticks. @typedef {{ name: string, startAt: number, everyMs: number, limit: number }} Scheduled */

const EVERY_MS = [1000, 2000];
/** Schedules end with the load, so that all of their jobs can be waited for. */
const FIRST_MS = 2000;

/** Api learns types from workers that have them. @param {string} url @param {AbortSignal} stop */
export async function untilTypesKnown(url, stop) {
  for (const type of TYPES) {
    for (let status = 0; status !== 200; ) {
      stop.throwIfAborted();
      ({ status } = await callUntilAnswered(`${url}/v1/types/${type}`, {}));
    }
  }
}

/** @param {string} url */
export async function capGroups(url) {
  await put(`${url}/v1/queues/chaos-groups/limits`, { groups: { default: { concurrency: GROUP_CAP } } });
}

/**
 * @param {string} url
 * @param {number} seconds
 * @returns {Promise<Scheduled[]>}
 */
export async function putSchedules(url, seconds) {
  const startAt = Date.now() + FIRST_MS;
  return Promise.all(
    EVERY_MS.map(async (everyMs) => {
      const limit = Math.max(1, Math.floor((seconds * 1000 - FIRST_MS) / everyMs));
      const name = `every-${everyMs}`;
      const rule = { everyMs, startAt: new Date(startAt).toISOString(), limit, overlap: 'allow', catchUp: 'all' };
      await put(`${url}/v1/schedules/${name}`, { type: 'chaos.tick', input: {}, ...rule });
      return { name, startAt, everyMs, limit };
    }),
  );
}

/** @param {string} url @param {object} body */
async function put(url, body) {
  const headers = { 'content-type': 'application/json' };
  const { status, body: reply } = await callUntilAnswered(url, { method: 'PUT', headers, body: JSON.stringify(body) });
  if (status > 201) throw new Error(`expected PUT ${url} to be taken, got ${status}: ${JSON.stringify(reply)}`);
}
