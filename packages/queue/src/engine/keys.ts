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
    looked: `${base}looked`,
    labelled: `${base}labelled`,
  };
}

/** Keys of the registry: types, workers and what tokens need. `{registry}` keeps them in one slot; no queue can take the name with its tag. */
export function registryKeys(prefix: string) {
  const base = `${prefix}:{registry}:`;
  return {
    types: `${base}types`,
    workers: `${base}workers`,
    worker: (id: string) => `${base}worker:${id}`,
    tokenSecret: `${base}token-secret`,
    revocations: `${base}revocations`,
    ticket: (hash: string) => `${base}ticket:${hash}`,
  };
}

/** What an idempotency key stands for, found before a queue is known; each digest has a slot of its own. */
export function claimKeys(prefix: string, digest: string) {
  const claim = `${prefix}:{claim:${digest}}`;
  return { claim, outcome: `${claim}:outcome` };
}
