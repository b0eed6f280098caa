import { once } from 'node:events';
import { request } from 'node:http';
import { openMeter, residentMb } from '../cpu.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';
import { cpuPerJob, cpuRows, foreignPercent, foreignRow } from './figures.mjs';

/** Jobs of naive's requests: what its author would choose; api takes as many in one array at a tenth of its limit. */
const CHUNK = 100;
/** Requests at a time: few of the large ones, as many of the single ones as in the submit benchmark. */
const AT_ONCE = { chunks: 4, singles: 50 };
const LOOK_MS = 20;

/** Ways to bring many jobs in; the last one is ours. */
const WAYS = [
  { ...naive, name: `naive, ${CHUNK} a request`, send: (system, jobs) => sendChunks(system, jobs) },
  { ...spillway, name: 'spillway, one a request', send: (system, jobs) => sendSingles(system, jobs) },
  { ...spillway, name: 'spillway, a stream of lines', send: (system, jobs) => sendLines(system, jobs) },
];

export const batch = {
  name: 'batch',
  scenarios({ quick }) {
    const jobs = quick ? 2_000 : 10_000;
    return [
      {
        id: 'batch',
        title: `Batch: ${jobs} jobs brought in as fast as they are taken, no worker running`,
        targets: [{ key: 'rate', ratioMin: 1 }],
        systems: WAYS.map(({ send, create, ...system }) => ({
          ...system,
          create: (...given) => ({ ...create(...given), send }),
        })),
        rows: [
          { key: 'rate', title: 'jobs accepted per second', digits: 0 },
          ...cpuRows(['api', 'status', 'redis']),
          { key: 'memory', title: 'peak memory of api above its idle, MB', digits: 0 },
          { key: 'missing', title: 'jobs that are not there', digits: 0, ratio: false },
          foreignRow,
        ],
        measure: (context) => measure(context, jobs),
      },
    ];
  },
};

async function measure({ stage, system }, jobs) {
  await system.startServer();
  await system.prepare();
  await system.send(system, CHUNK * AT_ONCE.chunks); // the first requests compile what the others use
  const before = await system.queue.waiting();
  const peak = watchMemory(system.parts().api);
  const meter = openMeter(system.parts(), stage.pids());
  await system.send(system, jobs);
  const reading = meter.read();
  return {
    rate: (jobs * 1000) / reading.elapsedMs,
    memory: peak.stop(),
    missing: before + jobs - (await system.queue.waiting()),
    ...cpuPerJob(reading, jobs),
    ...foreignPercent(reading),
  };
}

/** How much more memory a process has meanwhile than it had at first, in MB; undefined where that cannot be read. */
function watchMemory(pid) {
  const idle = residentMb(pid);
  let most = idle;
  const look = () => {
    most = Math.max(most, residentMb(pid) ?? 0);
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return idle === undefined ? undefined : most - idle;
    },
  };
}

function sendChunks(system, jobs) {
  return sendAll(system.submitBulk('noop', CHUNK), jobs / CHUNK, AT_ONCE.chunks);
}

function sendSingles(system, jobs) {
  return sendAll(system.submit('noop', undefined, { minimal: true }), jobs, AT_ONCE.singles);
}

async function sendAll({ url, method, headers, body }, count, atOnce) {
  let left = count;
  const sendNext = async () => {
    while (left-- > 0) {
      const reply = await fetch(url, { method, headers, body });
      await expectAccepted(reply.status, () => reply.text());
    }
  };
  await Promise.all(Array.from({ length: atOnce }, sendNext));
}

/** Writes no faster than the server reads. */
async function sendLines(system, jobs) {
  const { url, headers, body } = system.submit('noop');
  const address = url.replace(/\/jobs$/, '/batches');
  const call = request(address, { method: 'POST', headers: { ...headers, 'content-type': 'application/x-ndjson' } });
  const answered = once(call, 'response');
  for (let sent = 0; sent < jobs; sent += 1) if (!call.write(`${body}\n`)) await once(call, 'drain');
  call.end();
  const [reply] = await answered;
  await expectAccepted(reply.statusCode, async () => (await reply.toArray()).join(''));
}

async function expectAccepted(status, read) {
  const text = await read();
  if (status !== 202) throw new Error(`Expected 202 for a submit, but got ${status}: ${text.slice(0, 200)}`);
}
