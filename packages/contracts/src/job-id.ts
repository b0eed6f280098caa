/** A job's id is `<queue>.<ulid>`: it routes a request to its queue without a look-up and never equals one of the engine's own keys. */
const JOB_ID = /^([a-z][a-z0-9]*(?:-[a-z0-9]+)*)\.([0-9A-HJKMNP-TV-Z]{26})$/;

export function jobId(queue: string, ulid: string): string {
  return `${queue}.${ulid}`;
}

/** The queue that a job id names, or undefined where the text is no job id. */
export function queueOf(id: string): string | undefined {
  return JOB_ID.exec(id)?.[1];
}
