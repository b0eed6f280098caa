/**
 * Every Redis key comes from here. A queue's keys share the hash tag `{queue}`, so that a queue lives in one slot and a
 * script may touch all of it. A job's id begins with its queue's name and a dot, so it never equals one of the engine's
 * own words (`wait`, `meta`, …), which no queue name can contain a dot to imitate.
 */
export interface QueueKeys {
  /** Prefix of all keys of the queue, colon included. */
  readonly base: string;
  readonly events: string;
  readonly meta: string;
  /** What idle workers wait for. */
  readonly marker: string;
  readonly wait: string;
  readonly active: string;
  readonly prioritized: string;
  /** Counts jobs with a priority, which keeps the order of those with the same one. */
  readonly priorities: string;
  /** The engine's count of starts in the present window of a rate limit. */
  readonly limiter: string;
  readonly delayed: string;
  readonly blocked: string;
  /** Active jobs whose lease the engine looks at in its next check. */
  readonly stalled: string;
  readonly completed: string;
  readonly failed: string;
  /** The engine's own recurrences, which its scripts ask for. */
  readonly schedulers: string;
  job(id: string): string;
  log(id: string): string;
  output(id: string): string;
  /** What the job's finished steps gave, by their names. */
  steps(id: string): string;
  /** The lease: the token of the worker that holds the job. */
  lock(id: string): string;
  /** Stands while workers have to look whether a job that they run is to be cancelled. */
  readonly cancelling: string;
  /** What a command was answered, by a digest of who gave it and its id. */
  command(digest: string): string;
  /** Ids that were stored under a claim, each with the id of the job that stands in its place, if another does. */
  submitted(digest: string): string;
  /** Ids of the jobs with this label, scored by creation time. A colon ends the kind, so the value may be any text. */
  label(kind: string, value: string): string;
  /** Stands for a moment after somebody looked for jobs whose workers were lost. */
  readonly looked: string;
  /** Stands while the queue has labels: where it is missing there is nothing to clear up. */
  readonly labelled: string;
  batch(id: string): QueueBatchKeys;
  /** Batches with members that have not ended, and those that nobody has concluded yet. */
  readonly batches: string;
  /** Stands until the next look at those is due. */
  readonly swept: string;
  /** Ids of a tenant's jobs that were not started, in a queue that limits them; names of the tenants that have some. */
  tenant(name: string): string;
  readonly tenants: string;
  /** Tenants and groups with jobs that are held back until there is room for them. */
  readonly held: string;
  /** Stands for a moment after somebody cleared those lists. */
  readonly tenantsCleared: string;
  /** Ids of the jobs that wait in the lines of groups, scored by the order in which they came. */
  readonly grouped: string;
  /** Names of the groups that have jobs in line, scored by how many. */
  readonly groups: string;
  /** Begins the keys that only the scripts of groups know (`group-script.ts`). */
  readonly groupBase: string;
  /** What happened in each of the last seconds, and how long the latest runs took. */
  readonly rates: string;
  /** The number of the job that entered the line last. */
  readonly numbers: string;
}

/** The queue's name as the engine knows it. */
export function engineName(queue: string): string {
  return `{${queue}}`;
}

export function queueKeys(prefix: string, queue: string): QueueKeys {
  const base = `${prefix}:${engineName(queue)}:`;
  return {
    base,
    events: `${base}events`,
    meta: `${base}meta`,
    marker: `${base}marker`,
    wait: `${base}wait`,
    active: `${base}active`,
    prioritized: `${base}prioritized`,
    priorities: `${base}pc`,
    limiter: `${base}limiter`,
    delayed: `${base}delayed`,
    blocked: `${base}waiting-children`,
    stalled: `${base}stalled`,
    completed: `${base}completed`,
    failed: `${base}failed`,
    schedulers: `${base}repeat`,
    job: (id) => base + id,
    log: (id) => `${base}${id}:logs`,
    output: (id) => `${base}${id}:output`,
    steps: (id) => `${base}${id}:steps`,
    lock: (id) => `${base}${id}:lock`,
    cancelling: `${base}cancelling`,
    command: (digest) => `${base}command:${digest}`,
    submitted: (digest) => `${base}submitted:${digest}`,
    label: (kind, value) => `${base}label:${kind}:${value}`,
    batch: (id) => batchOfQueue(base, id),
    batches: `${base}batches`,
    swept: `${base}swept`,
    looked: `${base}looked`,
    labelled: `${base}labelled`,
    tenant: (name) => `${base}tenant:${name}`,
    tenants: `${base}tenants`,
    held: `${base}held`,
    tenantsCleared: `${base}tenants-cleared`,
    grouped: `${base}grouped`,
    groups: `${base}groups`,
    groupBase: `${base}group:`,
    rates: `${base}rates`,
    numbers: `${base}numbers`,
  };
}

/** What a queue knows of one batch; the scripts make the same names. */
export interface QueueBatchKeys {
  /** Counts of what can only grow: total, completed, removed; and when a member ended last. */
  readonly counts: string;
  /** Members that have not ended, or that nobody has counted yet. */
  readonly open: string;
  /** Members by the time of their end. */
  readonly failed: string;
  readonly cancelled: string;
}

function batchOfQueue(base: string, id: string): QueueBatchKeys {
  const counts = `${base}batch:${id}`;
  return { counts, open: `${counts}:open`, failed: `${counts}:failed`, cancelled: `${counts}:cancelled` };
}

/** What is known of a batch as a whole: it may span queues, so it has a slot of its own. No queue is named like its tag. */
export function batchKeys(prefix: string, id: string) {
  const record = `${prefix}:{batch:${id}}`;
  return { record, queues: `${record}:queues`, writer: `${record}:writer` };
}

/** Keys of the registry: types, workers, schedules and what tokens need. `{registry}` keeps them in one slot; no queue can take the name with its tag. */
export function registryKeys(prefix: string) {
  const base = `${prefix}:{registry}:`;
  return {
    types: `${base}types`,
    workers: `${base}workers`,
    worker: (id: string) => `${base}worker:${id}`,
    tokenSecret: `${base}token-secret`,
    revocations: `${base}revocations`,
    ticket: (hash: string) => `${base}ticket:${hash}`,
    /** Names of schedules, in their order. */
    schedules: `${base}schedules`,
    schedule: (name: string) => `${base}schedule:${name}`,
    /** Names of schedules by the time at which something is to be done about them. */
    schedulesDue: `${base}schedules-due`,
    /** The process that looks after schedules, for a moment. */
    schedulesLease: `${base}schedules-lease`,
  };
}

/** What an idempotency key stands for, found before a queue is known; each digest has a slot of its own. */
export function claimKeys(prefix: string, digest: string) {
  const claim = `${prefix}:{claim:${digest}}`;
  return { claim, outcome: `${claim}:outcome`, refused: `${claim}:refused` };
}
