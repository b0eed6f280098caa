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
  readonly completed: string;
  readonly failed: string;
  job(id: string): string;
  log(id: string): string;
  output(id: string): string;
  /** What a command was answered, by a digest of who gave it and its id. */
  command(digest: string): string;
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
    completed: `${base}completed`,
    failed: `${base}failed`,
    job: (id) => base + id,
    log: (id) => `${base}${id}:logs`,
    output: (id) => `${base}${id}:output`,
    command: (digest) => `${base}command:${digest}`,
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
