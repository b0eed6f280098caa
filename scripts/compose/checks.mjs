import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { projectFolder } from '../setup/project.mjs';
import { listContainers, listWorkers, usersIn } from './containers.mjs';
import { readEndEvents } from './end-events.mjs';
import { until } from './until.mjs';

/**
 * @typedef {object} Context
 * @property {import('./stack.mjs').Stack} stack
 * @property {import('./jobs.mjs').Api} api
 * @property {ReturnType<typeof import('./jobs.mjs').createJobs>} jobs
 * @property {AbortSignal} signal
 */

/** @typedef {(context: Context) => Promise<string | void>} Check resolves with what is worth telling; rejects when it does not hold */

const JOBS = 200;
/** For three workers of three slots work of some fifteen seconds: time to start two of them. */
const BURST = 150;

/**
 * In order: each finds the stack as the one before has left it.
 * @type {[string, Check][]}
 */
export const CHECKS = [
  ['a Docker engine runs, and has compose v2', hasEngine],
  ['the image builds', builds],
  ['the stack comes up healthy with three workers', ({ stack }) => stack.up(3)],
  ['only api is published, on 127.0.0.1 alone', isPublishedLocally],
  ['no process of ours is root, and no root file system can be written to', isConfined],
  ['live connections reach status through api', isForwarded],
  [`of ${JOBS} jobs, each of three workers takes a share`, sharesJobs],
  ['scales to one worker while jobs run', (context) => scales(context, 1)],
  ['scales to four workers while jobs run, and each takes a share', (context) => scales(context, 4)],
  [`all ${JOBS} jobs complete, each at the first attempt and exactly once`, endsEachOnce],
  ['a worker reads an uploaded file, and api serves what the worker made of it', passesFiles],
  ['no container crashed', crashesNone],
  ['jobs and files outlive the containers', keepsData],
  ['the autoscaler comes up, and its proxy alone has the socket of the engine', guardsEngine],
  [`of ${BURST} jobs at once it makes three workers of one, and each takes a share`, grows],
  ['when they have ended it goes back to one worker; every job ended once', shrinks],
  ['no container crashed while it scaled', crashesNone],
];

/** @type {Check} */
async function hasEngine({ stack }) {
  await stack.compose('ls', '--quiet');
}

/** @type {Check} */
async function builds({ stack }) {
  await stack.compose('build', '--quiet');
}

/** @type {Check} */
async function isPublishedLocally({ stack }) {
  const published = (await listContainers(stack)).flatMap(({ service, ports }) =>
    ports.map(({ HostIp, HostPort }) => `${service} on ${HostIp}:${HostPort}`),
  );
  assert.deepEqual(published, [`api on 127.0.0.1:${stack.port}`]);
  const others = Object.values(os.networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address),
  );
  for (const address of others) assert.ok(!(await answers(address, stack.port)), `${address} answers, too`);
  return `closed on ${others.join(', ') || 'no other address'}`;
}

/** @type {Check} */
async function isConfined({ stack }) {
  for (const container of await listContainers(stack)) {
    const { name, service, readOnly } = container;
    assert.ok(readOnly, `${name}: expected a read-only root file system`);
    // Redis' image has a user of its own, and its start script a reason to begin as root.
    if (service === 'redis') continue;
    const users = new Set(await usersIn(stack, container));
    assert.ok(users.size > 0 && !users.has('0'), `${name}: expected no process of user 0, got users ${[...users]}`);
  }
}

/** @type {Check} */
async function isForwarded({ api }) {
  assert.equal((await api.upgrade())?.toLowerCase(), 'websocket');
}

/** @type {Check} */
async function sharesJobs({ api, jobs, signal }) {
  await jobs.submit(JOBS, 'demo.steps', { steps: 5, stepMs: 200 });
  await untilAllShare({ api, jobs, signal }, 3);
  return describeShares(jobs);
}

/** @param {Context} context @param {number} workers */
async function scales({ stack, api, jobs, signal }, workers) {
  await stack.up(workers);
  await untilAllShare({ api, jobs, signal }, workers);
  const left = (await jobs.refresh()).length;
  assert.ok(
    left > 0,
    'expected jobs to be still running, but all had ended: the scaling came too late to show anything',
  );
  return `${left} of ${JOBS} jobs still to end; ${describeShares(jobs)}`;
}

/**
 * @param {Pick<Context, 'api' | 'jobs' | 'signal'>} context
 * @param {number} count of workers that must be alive, and have taken a job, all of them
 */
async function untilAllShare({ api, jobs, signal }, count) {
  await until(
    `${count} workers on the list, each with a job taken`,
    async () => {
      const alive = await api.workers();
      if (alive.length !== count) throw new Error(`${alive.length} on the list`);
      await jobs.refresh();
      return alive.every((worker) => jobs.shares().has(worker));
    },
    { timeoutMs: 60_000, signal },
  );
}

/** @param {Context['jobs']} jobs */
function describeShares(jobs) {
  return `shares ${[...jobs.shares().values()].join(', ')}`;
}

/** @type {Check} */
async function endsEachOnce({ stack, jobs, signal }) {
  await until('the jobs to end', async () => (await jobs.refresh()).length === 0, { timeoutMs: 120_000, signal });
  const ends = await readEndEvents(stack);
  const wrong = jobs
    .all()
    .map(({ id, state, attempt }) => ({ id, state, attempt, ends: ends.get(id) ?? [] }))
    .filter(({ state, attempt, ends }) => state !== 'completed' || attempt !== 1 || `${ends}` !== 'completed');
  assert.deepEqual(wrong, [], 'expected every job completed at attempt 1, with one event that says so');
  return describeShares(jobs);
}

/** @type {Check} */
async function passesFiles({ api, jobs, signal }) {
  const photo = await readFile(path.join(projectFolder, 'docs/examples/photo.jpg'));
  const { ref } = await api.upload(new Blob([photo], { type: 'image/jpeg' }), 'photo.jpg');
  await jobs.submit(1, 'image.variants', { source: ref, widths: [160] });
  await until('the image job to end', async () => (await jobs.refresh()).length === 0, { timeoutMs: 60_000, signal });
  await servesVariants(api, jobs.all().at(-1));
}

/** @type {Check} */
async function crashesNone({ stack }) {
  const restarted = (await listContainers(stack)).filter(({ restarts }) => restarts > 0).map(({ name }) => name);
  assert.deepEqual(restarted, []);
}

/** @type {Check} */
async function keepsData({ stack, api, jobs }) {
  await stack.compose('down');
  await stack.up(1);
  const kept = await Promise.all(jobs.all().map(({ id }) => api.job(id)));
  assert.deepEqual(
    kept.filter(({ state }) => state !== 'completed'),
    [],
  );
  await servesVariants(api, kept.at(-1));
  return `${kept.length} jobs`;
}

/** @type {Check} */
async function guardsEngine({ stack }) {
  await stack.autoscale();
  const containers = await listContainers(stack);
  const holders = containers.filter(({ mounts }) => mounts.some((mount) => mount.endsWith('.sock')));
  assert.deepEqual(
    holders.map(({ service }) => service),
    ['engine-proxy'],
  );
  assert.deepEqual(
    containers.filter(({ readOnly }) => !readOnly).map(({ name }) => name),
    [],
  );
  // The engine's own answer to a call that the proxy does not know would be a list.
  const ask =
    "fetch('http://engine-proxy:2375/images/json').then(({ status }) => console.log(status), ({ cause }) => console.log(cause.code))";
  const from = async (/** @type {string} */ service) =>
    (await stack.compose('exec', '--no-TTY', service, 'node', '-e', ask)).trim();
  assert.equal(await from('autoscaler'), '403');
  assert.match(await from('worker'), /^(ENOTFOUND|EAI_AGAIN)$/, 'expected a worker not to reach the proxy');
}

/** @type {Check} */
async function grows({ stack, api, jobs, signal }) {
  await jobs.submit(BURST, 'demo.steps', { steps: 5, stepMs: 200 });
  await untilAllShare({ api, jobs, signal }, 3);
  const names = await listWorkers(stack);
  assert.deepEqual(
    names.map((name) => name.replace(/^.*-worker-/, '')),
    ['1', '2', '3'],
    'expected compose to count three workers',
  );
  return describeShares(jobs);
}

/** @type {Check} */
async function shrinks(context) {
  const { stack, signal } = context;
  const shares = await endsEachOnce(context);
  await until('one worker', async () => (await listWorkers(stack)).length === 1, { timeoutMs: 60_000, signal });
  // What was stopped is removed, not left behind.
  const workers = (await listContainers(stack)).filter(({ service }) => service === 'worker');
  assert.deepEqual(
    workers.map(({ name }) => name.replace(/^.*-worker-/, '')),
    ['1'],
  );
  return shares;
}

/** @param {Context['api']} api @param {import('./jobs.mjs').Job | undefined} job */
async function servesVariants(api, job) {
  assert.equal(job?.state, 'completed', JSON.stringify(job));
  const { variants } = job.result;
  assert.ok(variants.length > 0, 'expected variants, got none');
  for (const { url } of variants) {
    const type = (await api.request(url)).headers.get('content-type') ?? 'none';
    assert.match(type, /^image\//, url);
  }
}

/** @param {string} host @param {number} port @returns {Promise<boolean>} whether somebody accepts connections there */
function answers(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 2000 });
    const end = (/** @type {boolean} */ answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
