// What the benchmarks with many watchers have in common.
import { Agent, request } from 'node:http';
import { startLoad } from '../load.mjs';

const SUBMITS_AT_ONCE = 50;

/** Starts a system without a worker, and the process that will hold `count` connections to its live part. */
export async function gather({ stage, system }, count, { livePort } = {}) {
  await system.startServer({ livePort });
  await system.prepare();
  const watchers = await startLoad(stage, 'watchers');
  const order = (name, plan) => watchers.run({ order: name, ...plan });
  return {
    pid: watchers.pid,
    order,
    open: () => order('open', { endpoint: system.liveEndpoint(), count }),
  };
}

/** Submits jobs one by one, as their users would, and returns their ids. */
export async function submitJobs(submit, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: SUBMITS_AT_ONCE });
  const ids = [];
  let begun = 0;
  const lane = async () => {
    while (begun++ < count) ids.push(await post(agent, submit));
  };
  await Promise.all(Array.from({ length: SUBMITS_AT_ONCE }, lane));
  agent.destroy();
  return ids;
}

async function post(agent, { url, headers, body }) {
  const { status, text } = await new Promise((resolve, reject) => {
    const call = request(url, {
      agent,
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    });
    call.once('error', reject);
    call.once('response', async (response) => {
      let received = '';
      for await (const part of response.setEncoding('utf8')) received += part;
      resolve({ status: response.statusCode, text: received });
    });
    call.end(body);
  });
  if (status !== 202) throw new Error(`Expected 202 for a submit, but got ${status}: ${text.slice(0, 300)}`);
  return JSON.parse(text).id;
}

/** Every table of this kind names the process that holds the sockets alike, so that it stands in one row. */
export const LIVE = 'status (naive: api)';

/** What a meter of these processes measures: the live part, Redis, and the load itself. */
export function crowdParts(system, load) {
  const { redis, [system.livePart]: live } = system.parts();
  return { live, redis, ...load };
}

/**
 * Each part's share of one core, in %: the CPU that was spent over the time in which it was caused. Above 100 it was spent
 * later, because one core was not enough.
 */
export function shares({ cpuMs }, elapsedMs, prefix = 'core') {
  return Object.fromEntries(
    Object.entries(cpuMs).map(([part, ms]) => [
      `${prefix}.${part}`,
      ms === undefined ? undefined : (ms / elapsedMs) * 100,
    ]),
  );
}

/** Microseconds of CPU that the live part spent on each event that arrived, by itself or in a snapshot. */
export function usPerEvent({ cpuMs }, { events, caughtUp }) {
  const all = events + caughtUp;
  return cpuMs.live === undefined || all === 0 ? undefined : (cpuMs.live * 1000) / all;
}
