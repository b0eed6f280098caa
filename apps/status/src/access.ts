import {
  endedToken,
  type Job,
  type OpsTarget,
  type SetTarget,
  SpillwayError,
  unknownJob,
  type WatchTarget,
} from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import { type Caller, covers, mayUse, type Token, type Tokens } from '@spillway/runtime';

/** What a right to a job may rest on. */
export type Guarded = Pick<Job, 'id' | 'tags' | 'batch'>;

/** What one connection may do. */
export interface Access {
  /** Who it is, for the job's record and the log. */
  readonly caller: string;
  /** Whether it may see this job. Who may not is answered as if the job did not exist. */
  maySee(job: Guarded): boolean;
  /** The same as far as the id alone says: undefined where the job's batch or tags decide. */
  maySeeById(id: string): boolean | undefined;
  /** Whether it may watch this set of jobs. */
  mayWatch(target: SetTarget | OpsTarget): boolean;
  /** Whether it may send this job commands. */
  mayCommand(job: Guarded): boolean;
  /** Whether it may connect as an operator, who sees queues and tenants whole. */
  readonly isOperator: boolean;
  /** When it ends unless it is refreshed, in milliseconds since the epoch. Undefined for a key, which does not end. */
  readonly expiresAt?: number;
  /** The id of the token that it rests on. */
  readonly tokenId?: string;
  /** Why it has ended: `token_expired` or `token_revoked`. To be asked at every watch, and about every second while one runs. */
  ended(): SpillwayError | undefined;
}

/** A key sees every job or none; its scopes say what else. */
export function accessOfKey(caller: Caller): Access {
  const reads = mayUse(caller, 'read');
  const controls = mayUse(caller, 'control');
  return {
    caller: caller.name,
    maySee: () => reads,
    maySeeById: () => reads,
    mayWatch: () => reads,
    mayCommand: () => controls,
    isOperator: reads && controls,
    ended: () => undefined,
  };
}

/** A token sees what it names. Queues and tenants are for keys. */
export function accessOfToken(token: Token, tokens: Pick<Tokens, 'ended'>): Access {
  const { id, holder, rights, expiresAt } = token;
  const byRecord = rights.batches.length > 0 || rights.tags.length > 0;
  return {
    caller: holder,
    maySee: (job) => covers(rights, job),
    maySeeById: (job) => rights.jobs.includes(job) || (byRecord ? undefined : false),
    mayWatch: (target) =>
      ('batch' in target && rights.batches.includes(target.batch)) ||
      ('tag' in target && rights.tags.includes(target.tag)),
    isOperator: false,
    mayCommand: (job) => rights.may === 'command' && covers(rights, job),
    expiresAt,
    tokenId: id,
    ended() {
      const why = tokens.ended(token);
      return why && endedToken(why);
    },
  };
}

/**
 * The access of whoever presents a key or a token.
 * @throws SpillwayError `unauthorized`, `token_expired`, `token_revoked`, `forbidden` (a key without the scope read), `unavailable`
 */
export function accessOf(bearer: string | undefined, tokens: Tokens): Access {
  const presented = tokens.identify(bearer);
  switch (presented.kind) {
    case 'token':
      return accessOfToken(presented.token, tokens);
    case 'key':
      if (mayUse(presented.caller, 'read')) return accessOfKey(presented.caller);
      throw new SpillwayError('forbidden', 'expected a key with the scope read, or a watch token');
    case 'refused': {
      const { why } = presented;
      if (why === 'expired' || why === 'revoked') throw endedToken(why);
      throw new SpillwayError(
        'unauthorized',
        `expected a valid key or watch token, got ${why === 'none' ? 'none' : 'one that is not known'}`,
      );
    }
  }
}

/**
 * To be called before anything of a job is sent, and before its room is joined. Reads the job only where its batch or
 * tags decide.
 * @throws SpillwayError `job_not_found`, whether there is no such job or it may not be seen
 */
export async function assertMaySee(access: Access, id: string, reader: Pick<Reader, 'job'>): Promise<void> {
  if (access.maySeeById(id) ?? access.maySee(await reader.job(id))) return;
  throw unknownJob(id);
}

/** Whether a target may (still) be watched. @throws SpillwayError `unavailable` */
export async function mayWatchTarget(
  access: Access,
  target: WatchTarget,
  reader: Pick<Reader, 'job'>,
): Promise<boolean> {
  if (!('job' in target)) return access.mayWatch(target);
  return assertMaySee(access, target.job, reader).then(
    () => true,
    (error: unknown) => {
      if (error instanceof SpillwayError && error.code === 'job_not_found') return false;
      throw error;
    },
  );
}
