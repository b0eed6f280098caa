import { createHash } from 'node:crypto';
import { queueOf, SpillwayError } from '@spillway/contracts';
import type { Redis } from 'ioredis';
import { encodeFailure } from '../engine/failure.ts';
import { queueKeys } from '../engine/keys.ts';
import { COMMAND_KEPT_S, EVENTS_KEPT } from '../engine/limits.ts';
import { withRedis } from '../engine/unavailable.ts';
import { cancellingChildren } from './cancel-flow.ts';
import { cancelWaiting } from './cancel-script.ts';

/** What a control call did: `done` is false where the job was already as asked. */
export interface ControlOutcome {
  done: boolean;
}

/**
 * Ends a job that no worker runs yet, and with it the jobs that it waits for. `by` stands in the job's record. With a
 * command's id, which is `by`'s own, every repeat within a day is answered as the first was, also where that was a refusal,
 * through whichever process. The id is remembered in the job's queue.
 * @throws SpillwayError `job_not_found`, `job_active`, `job_final` (completed or failed), `command_id_reused`, `unavailable`
 */
export type Cancel = (id: string, by: string, commandId?: string) => Promise<ControlOutcome>;

/** The one order that a status process gives; it needs nothing of the engine. */
export function createCancel(setup: { redis: Redis; prefix: string; now?: () => number }): Cancel {
  const { redis, prefix, now = Date.now } = setup;
  const cancelOne: Cancel = async (id, by, commandId) => {
    const queue = queueOf(id);
    if (!queue) throw notFound(id);
    const keys = queueKeys(prefix, queue);
    const reason = encodeFailure({ code: 'cancelled', message: `cancelled by ${by}` });
    const lines = [keys.job(id), keys.wait, keys.prioritized, keys.delayed, keys.failed, keys.events, keys.blocked];
    const args = [id, reason, now(), EVENTS_KEPT];
    const found = await withRedis(redis, () =>
      commandId === undefined
        ? cancelWaiting(redis, lines, args)
        : cancelWaiting(
            redis,
            [...lines, keys.command(digest(by, commandId))],
            [...args, `cancel ${id}`, COMMAND_KEPT_S],
          ),
    );
    return outcome(found, id);
  };
  return cancellingChildren({ redis, prefix }, cancelOne);
}

function outcome(found: unknown, id: string): ControlOutcome {
  switch (found) {
    case 1:
      return { done: true };
    case 2:
      return { done: false };
    case 0:
      throw notFound(id);
    case -2:
      throw new SpillwayError('job_final', `expected a job that has not ended, got ${id}, which has`);
    case -4:
      throw new SpillwayError(
        'command_id_reused',
        'expected a command id that is new, or the same command again, got one that was given with another command',
      );
    default:
      throw new SpillwayError('job_active', `expected a job that waits, got ${id}, which a worker is running`);
  }
}

/** Both are somebody else's text of any length and content; the separator keeps `a` + `bc` apart from `ab` + `c`. */
function digest(by: string, commandId: string): string {
  return createHash('sha256').update(`${by}\0${commandId}`).digest('base64url');
}

export function notFound(id: string): SpillwayError {
  return new SpillwayError('job_not_found', `expected the id of a stored job, got ${JSON.stringify(id)}`);
}
