import { setTimeout as sleep } from 'node:timers/promises';
import { callUntilAnswered } from './call.mjs';
import { CANCEL_DELAY_MS } from './requests.mjs';

/** @typedef {import('./requests.mjs').Errand} Errand */
/** @typedef {import('./requests.mjs').FlowRequest} FlowRequest */
/** @typedef {{ id: string, children?: StoredNode[] }} StoredNode */

/**
 * @typedef {object} Desk what errands are run from
 * @property {string} url
 * @property {boolean} withKeys
 * @property {(line: object) => void} note writes down an answer
 * @property {(causes: string[]) => void} countRetried
 * @property {(id: string) => void} watch offers a job to the watchers
 */

const PAUSE_MS = 150;
const PATIENCE_MS = 10_000;
const FINAL = ['completed', 'failed', 'cancelled'];

/** Gets an errand accepted, and does what belongs to it after that. @param {Errand} errand @param {Desk} desk */
export async function runErrand(errand, desk) {
  switch (errand.as) {
    case 'flow':
      return runFlow(errand, desk);
    case 'deduped':
      await Promise.all(errand.jobs.map((job) => submit({ ...errand, key: job.input.key, jobs: [job] }, desk)));
      return;
    default:
      return runJobs(errand, desk);
  }
}

/** @param {Errand} errand @param {Desk} desk */
async function runJobs(errand, desk) {
  const id = await submit(errand, desk);
  if (!id) return;
  if (errand.repeat) await submit(errand, desk);
  if (errand.kind === 'cancel-waiting') await cancel(id, desk);
  if (errand.kind === 'cancel-active') {
    await untilState(id, ['active', ...FINAL], desk);
    await cancel(id, desk);
  }
  if (errand.kind === 'retried' && (await untilState(id, FINAL, desk)) === 'failed') await retry(id, desk);
}

/**
 * @param {Errand} errand
 * @param {Desk} desk
 * @returns {Promise<string | undefined>} the first job's id
 */
async function submit({ key, kind, as, jobs }, desk) {
  const isBatch = as === 'batch';
  const { status, body } = await post(`/v1/${isBatch ? 'batches' : 'jobs'}`, isBatch ? jobs : jobs[0], desk, {
    ...(desk.withKeys && { 'idempotency-key': key }),
    // As backends do that hand no job to a browser.
    ...(kind === 'plain' && { prefer: 'return=minimal' }),
  });
  if (status !== 200 && status !== 202) {
    desk.note({ say: 'refused', key, status, code: body?.code });
    return undefined;
  }
  /** @type {{ id?: string }[]} */
  const entries = isBatch ? body.jobs : [body];
  if (isBatch) desk.note({ say: 'batch', id: body.id, jobs: entries.flatMap(({ id }) => id ?? []) });
  for (const [n, { id }] of entries.entries()) {
    const input = jobs[n]?.input;
    if (id) accept(id, kind, input, desk);
    else desk.note({ say: 'refused', key: input?.key, status, code: JSON.stringify(entries[n]).slice(0, 200) });
  }
  return entries[0]?.id;
}

/** A flow that was not answered may be there. It takes no Idempotency-Key: sent again, it has other keys. @param {Errand} errand @param {Desk} desk */
async function runFlow({ key, kind, jobs }, desk) {
  const [tree] = jobs;
  if (!tree) return;
  const sentAs = (/** @type {number} */ turn) => withTurn(tree, turn);
  const sentAt = Date.now();
  const { status, body, retried } = await post('/v1/flows', (turn) => ({ flow: sentAs(turn) }), desk);
  if (status !== 202) return desk.note({ say: 'refused', key, status, code: body?.code });
  const members = acceptTree(sentAs(retried.length), body.flow, kind, desk);
  desk.note({ say: 'batch', id: body.id, jobs: members });
  if (kind !== 'cancel-flow') return;
  const answered = await cancel(body.flow.id, desk);
  // A child that was due before the cancel was answered may have run.
  const inTime = answered === 'cancelled' && Date.now() - sentAt < CANCEL_DELAY_MS;
  if (inTime) for (const id of members.slice(1)) desk.note({ say: 'cancel', id, state: answered });
}

/** @param {FlowRequest} node @param {number} turn @returns {FlowRequest} */
function withTurn(node, turn) {
  const input = { ...node.input, key: `${node.input.key}~${turn}` };
  return { ...node, input, ...(node.children && { children: node.children.map((child) => withTurn(child, turn)) }) };
}

/**
 * @param {FlowRequest} node
 * @param {StoredNode} stored
 * @param {import('./requests.mjs').Kind} kind
 * @param {Desk} desk
 * @returns {string[]} all ids, the root's first
 */
function acceptTree(node, { id, children = [] }, kind, desk) {
  accept(id, node.onFailure ? 'failing' : kind, node.input, desk);
  if (node.children) desk.note({ say: 'parent', id, children: children.map((child) => child.id) });
  const below = children.flatMap((child, n) => {
    const sent = node.children?.[n];
    return sent ? acceptTree(sent, child, kind, desk) : [];
  });
  return [id, ...below];
}

/** @param {string} id @param {string} kind @param {FlowRequest['input'] | undefined} input @param {Desk} desk */
function accept(id, kind, input, desk) {
  desk.note({ say: 'accepted', key: input?.key, id, kind, dedupe: input?.dedupe, at: Date.now() });
  // One that is retried has two ends: what a watcher sees last depends on when it looked.
  if (kind !== 'retried') desk.watch(id);
}

/**
 * A cancel that comes too early or too late is answered by another truth; what counts is what the answer says.
 * @param {string} id
 * @param {Desk} desk
 * @returns {Promise<string | undefined>} the state of the answer
 */
async function cancel(id, desk) {
  const { status, body } = await post(`/v1/jobs/${id}/cancel`, undefined, desk);
  desk.note({ say: 'cancel', id, status, state: body?.job?.state, code: body?.code });
  return body?.job?.state;
}

/** @param {string} id @param {Desk} desk */
async function retry(id, desk) {
  const { status, body, retried } = await post(`/v1/jobs/${id}/retry`, undefined, desk);
  desk.note({ say: 'retry', id, status, done: body?.done === true, calls: retried.length + 1, code: body?.code });
}

/** @param {string} id @param {string[]} states @param {Desk} desk @returns {Promise<string | undefined>} the state, where it came in time */
async function untilState(id, states, { url }) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const { body } = await callUntilAnswered(`${url}/v1/jobs/${id}`, {});
    if (states.includes(body?.state)) return body.state;
    await sleep(PAUSE_MS);
  }
  return undefined;
}

/**
 * @param {string} path
 * @param {object | undefined | ((turn: number) => object)} body a function is asked each time that it is sent
 * @param {Desk} desk
 * @param {Record<string, string>} [headers]
 */
async function post(path, body, { url, countRetried }, headers = {}) {
  const written = typeof body === 'object' ? JSON.stringify(body) : '';
  const answer = await callUntilAnswered(`${url}${path}`, {
    method: 'POST',
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    body: typeof body === 'function' ? (turn) => JSON.stringify(body(turn)) : written,
  });
  countRetried(answer.retried);
  return answer;
}
