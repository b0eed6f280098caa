import type { JobsOptions, Redis } from '@spillway/bullmq';
import type { ChildPolicy, FlowMember, JobOptions, JobType } from '@spillway/contracts';
import { queueKeys } from '../engine/keys.ts';
import { labelsOf } from '../engine/labels.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import type { StoredOptions } from '../engine/record.ts';
import type { Admission } from './admission.ts';
import { storeFlow } from './flow-script.ts';

/** A job of a flow and those that it waits for. Inputs must have passed their types' schemas. */
export interface FlowTree {
  type: JobType;
  input: unknown;
  options?: JobOptions | undefined;
  /** What it means for the parent that this one fails; `fail` where absent. */
  onFailure?: ChildPolicy | undefined;
  children: FlowTree[];
}

export interface FlowSetup {
  redis: Redis;
  prefix: string;
  newId: (queue: string, timestamp: number) => string;
  admission: Admission;
  /** What is stored of a job's options. */
  toStored: (type: JobType, options: JobOptions, labels: FlowLabels) => JobsOptions & StoredOptions;
}

interface FlowLabels {
  batch: string;
  tenant?: string | undefined;
}

interface Member extends FlowTree {
  id: string;
  parent: Member | undefined;
  members: Member[];
}

/**
 * Stores a whole tree, or nothing of it, in one step. All of its jobs carry the labels. Returns their ids as the tree.
 * @throws SpillwayError `queue_full` where one of the queues has no room for its part
 */
export async function addFlow(
  setup: FlowSetup,
  tree: FlowTree,
  labels: FlowLabels,
  timestamp: number,
): Promise<FlowMember> {
  const root = named(tree, undefined, (queue) => setup.newId(queue, timestamp));
  const members = parentsFirst(root);
  const queues = [...new Set(members.map(({ type }) => type.queue))];
  const stored = members.map(({ type, options = {} }) => setup.toStored(type, options, labels));
  const delayMs = stored.reduce((sum, { delay = 0 }) => sum + delay, 0);
  const keys = queues.map((queue) => queueKeys(setup.prefix, queue));
  const reply = await storeFlow(
    setup.redis,
    keys.map(({ events }) => events),
    [
      EVENTS_KEPT,
      Math.ceil(delayMs / 1000),
      queues.length,
      ...keys.map(({ base }) => base),
      ...members.flatMap((member, index) => [
        queues.indexOf(member.type.queue) + 1,
        ...fieldsOf(member, stored[index] ?? {}, timestamp),
        ...parentFields(member, setup.prefix),
      ]),
    ],
  );
  if (!Array.isArray(reply)) return toReply(root);
  const [number, ...why] = reply as unknown[];
  throw await setup.admission.refuse(queues[Number(number) - 1] ?? '', why);
}

function named(tree: FlowTree, parent: Member | undefined, newId: (queue: string) => string): Member {
  const member: Member = { ...tree, id: newId(tree.type.queue), parent, members: [] };
  member.members = tree.children.map((child) => named(child, member, newId));
  return member;
}

function parentsFirst(member: Member): Member[] {
  return [member, ...member.members.flatMap(parentsFirst)];
}

function fieldsOf({ id, type, input = {}, members }: Member, stored: JobsOptions & StoredOptions, timestamp: number) {
  return [
    id,
    type.type,
    JSON.stringify(input),
    JSON.stringify(stored),
    timestamp,
    stored.delay ?? 0,
    stored.priority ?? 0,
    JSON.stringify(labelsOf(stored)),
    members.length > 0 ? JSON.stringify(members.map((child) => [child.id, child.type.type])) : '',
  ];
}

/** The engine's own names for a link to a parent: `fpof` fails it with the child, `idof` lets it do without. */
function parentFields({ parent, onFailure = 'fail' }: Member, prefix: string): [key: string, link: string] {
  if (!parent) return ['', ''];
  const keys = queueKeys(prefix, parent.type.queue);
  const policy = onFailure === 'fail' ? { fpof: true } : { idof: true };
  return [keys.job(parent.id), JSON.stringify({ id: parent.id, queueKey: keys.base.slice(0, -1), ...policy })];
}

function toReply({ id, type, members }: Member): FlowMember {
  return { id, type: type.type, ...(members.length > 0 && { children: members.map(toReply) }) };
}
