import type { JobsOptions, Redis } from '@spillway/bullmq';
import { groupField } from '../engine/groups.ts';
import { queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import type { EngineQueue, QueueHandles } from '../engine/queue-handles.ts';
import type { StoredOptions } from '../engine/record.ts';
import { ADD_SCRIPTS } from './add-script.ts';
import type { Admission } from './admission.ts';
import type { Claim } from './claims.ts';
import type { DedupeBy } from './dedupe.ts';

export interface Addition {
  id: string;
  queue: string;
  type: string;
  /** The input as JSON. */
  data: string;
  stored: JobsOptions & StoredOptions;
  /** Milliseconds since the epoch. */
  timestamp: number;
  /** JSON; absent where the job has none. */
  labels: string | undefined;
  claim: Claim | undefined;
  dedupe: DedupeBy | undefined;
}

/**
 * Stores a job that waits for its time, behind others, or that others may stand for. These are rarer, and take the
 * engine's own way in. Resolves with the id of the job that stands: the given one, but for dedupe; and with whether it is held
 * back until there is room. @throws SpillwayError `queue_full`
 */
export async function addToLine(
  { redis, prefix, queues, admission }: { redis: Redis; prefix: string; queues: QueueHandles; admission: Admission },
  addition: Addition,
): Promise<{ stands: string; isParked: boolean }> {
  const { id, queue, type, timestamp, labels = '', claim, dedupe, stored } = addition;
  const keys = queueKeys(prefix, queue);
  const { name, args } = await engineCall(queues.get(queue), addition);
  const script = ADD_SCRIPTS[name];
  if (!script) throw new Error(`expected the engine to add with one of ${Object.keys(ADD_SCRIPTS)}, got ${name}`);
  const { run, runGrouped, engineKeys } = script;
  const group = groupField(stored);
  const touched = [...(args.slice(0, engineKeys) as string[]), keys.events];
  if (claim) touched.push(keys.submitted(claim.digest));
  const delayS = Math.ceil((stored.delay ?? 0) / 1000);
  const own = [keys.base, EVENTS_KEPT, id, type, timestamp, labels, delayS];
  const standing = [dedupe?.id ?? '', dedupe?.mode ?? '', claim?.keptS ?? 0];
  const priority = stored.priority ?? stored.groupPriority ?? 0;
  const values = [...args.slice(engineKeys), ...own, ...standing, priority];
  const reply = await (group === undefined
    ? run(redis, touched, values)
    : runGrouped(redis, touched, [...values, group]));
  if (!Array.isArray(reply)) return { stands: String(reply), isParked: false };
  if (reply.length > 1) throw await admission.refuse(queue, reply);
  return { stands: String(reply[0]), isParked: true };
}

/** What the engine would send to add the job. Nothing is sent: the client that it is handed only takes note. */
async function engineCall(queue: EngineQueue, { id, type, data, stored, timestamp }: Addition): Promise<EngineCall> {
  const { delay, priority } = stored;
  const deduplicationId = stored.deduplication?.id;
  const record = { ...EMPTY_RECORD, id, name: type, data, opts: stored, timestamp, delay, priority, deduplicationId };
  let call: EngineCall = { name: '', args: [] };
  const client = {
    runCommand(versioned: string, args: EngineCall['args']) {
      call = { name: versioned.split(':')[0] ?? '', args };
      return Promise.resolve(id);
    },
  };
  const backend = queue.getBackend();
  await backend.addJobToTransaction(client as unknown as EngineClient, record, id);
  return call;
}

type EngineClient = Parameters<ReturnType<EngineQueue['getBackend']>['addJobToTransaction']>[0];

interface EngineCall {
  name: string;
  /** Keys, then arguments; packed ones are bytes. */
  args: (string | number)[];
}

/** Fields of the engine's record that a new job does not have yet. */
const EMPTY_RECORD = {
  progress: 0,
  attemptsMade: 0,
  attemptsStarted: 0,
  stalledCounter: 0,
  failedReason: '',
  returnvalue: '',
};
