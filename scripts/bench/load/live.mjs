// Submits jobs at a steady rate and takes the time until a socket has seen the end of each.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { dialects } from './dialects.mjs';

/** After the submits, ends that are still out count as lost once none has come for this long: nothing is under way then. */
const GRACE_MS = 5_000;

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

process.on('message', async (plan) => {
  try {
    process.send({ kind: 'result', ...(await run(plan)) });
  } catch (error) {
    process.send({ kind: 'failure', message: error.stack });
  }
});
process.once('disconnect', () => process.exit(0));
process.send({ kind: 'ready' });

/** `plan`: { dialect, socket: { url, options }, submit: { url, headers, body }, sockets, perSecond, durationMs }. */
async function run(plan) {
  const dialect = dialects[plan.dialect];
  const open = new Map();
  const latenciesMs = [];
  let seenAt = 0;
  const seen = (id) => {
    const startedAt = open.get(id);
    if (startedAt === undefined) return;
    open.delete(id);
    seenAt = performance.now();
    latenciesMs.push(seenAt - startedAt);
  };
  const sockets = await Promise.all(Array.from({ length: plan.sockets }, () => connect(plan.socket)));
  for (const socket of sockets) dialect.listen(socket, seen);

  const submits = await paced(plan, async (number) => {
    const startedAt = performance.now();
    const { id } = await post(plan.submit);
    open.set(id, startedAt);
    dialect.watch(sockets[number % sockets.length], id, seen);
  });
  const outcomes = await Promise.allSettled(submits);
  const submittedAt = performance.now();
  while (open.size > 0 && performance.now() - Math.max(seenAt, submittedAt) < GRACE_MS) await sleep(20);
  for (const socket of sockets) socket.disconnect();

  const refused = outcomes.find(({ status }) => status === 'rejected');
  if (refused) throw refused.reason;
  return { latenciesMs, jobs: submits.length, lost: open.size };
}

/** Calls `work` at a steady rate whether or not earlier calls are done: a slow server must not slow down its own load. */
async function paced({ perSecond, durationMs }, work) {
  const calls = [];
  const startedAt = performance.now();
  const total = Math.round((perSecond * durationMs) / 1000);
  while (calls.length < total) {
    const due = Math.min(total, Math.ceil(((performance.now() - startedAt) * perSecond) / 1000));
    while (calls.length < due) calls.push(work(calls.length));
    await sleep(1000 / perSecond);
  }
  return calls;
}

function connect({ url, options }) {
  const socket = io(url, { transports: ['websocket'], forceNew: true, ...options });
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
  });
}

function post({ url, headers, body }) {
  return new Promise((resolve, reject) => {
    const call = request(url, {
      agent,
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    });
    call.once('error', reject);
    call.once('response', async (response) => {
      let text = '';
      for await (const part of response.setEncoding('utf8')) text += part;
      if (response.statusCode === 202) resolve(JSON.parse(text));
      else reject(new Error(`expected 202 for a submit, but got ${response.statusCode}: ${text.slice(0, 300)}`));
    });
    call.end(body);
  });
}
