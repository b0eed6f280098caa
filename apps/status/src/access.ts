import type { Job, OpsTarget, SetTarget } from '@spillway/contracts';
import { type Caller, mayUse } from '@spillway/runtime';

/** What a right to a job may rest on. */
export type Guarded = Pick<Job, 'id' | 'tags' | 'batch'>;

/** What one connection may do. */
export interface Access {
  /** Who it is, for the job's record and the log. */
  readonly caller: string;
  /** Whether it may see this job. Who may not is answered as if the job did not exist. */
  maySee(job: Guarded): boolean;
  /** Whether it may watch this set of jobs. */
  mayWatch(target: SetTarget | OpsTarget): boolean;
  /** Whether it may send this job commands. */
  mayCommand(job: Guarded): boolean;
}

/** A key sees every job or none; its scopes say what else. */
export function accessOfKey(caller: Caller): Access {
  const reads = mayUse(caller, 'read');
  const controls = mayUse(caller, 'control');
  return { caller: caller.name, maySee: () => reads, mayWatch: () => reads, mayCommand: () => controls };
}
