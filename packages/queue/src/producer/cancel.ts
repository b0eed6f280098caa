import { createHash } from 'node:crypto';
import type { Redis } from '@spillway/bullmq';
import { type Cancellation, queueOf, SpillwayError } from '@spillway/contracts';
import { type CancelOrder, cancelJob } from '../engine/cancel-script.ts';
import { queueKeys } from '../engine/keys.ts';
import { COMMAND_KEPT_S } from '../engine/limits.ts';
import { withRedis } from '../engine/unavailable.ts';
import { cancellingChildren } from './cancel-flow.ts';

/** What a control call did: `done` is false where the job was already as asked. */
export interface ControlOutcome {
  done: boolean;
}

export interface CancelOptions {
  /** Why; at most CANCEL_REASON_MAX characters. */
  reason?: string | undefined;
  /** The id of a command, the canceller's own. */
  commandId?: string | undefined;
}

/**
 * Ends a job that no worker runs, at once. One that a worker runs is marked: its worker sees that within a second, and
 * ends the job as soon as the handler has stopped, or was given up. Such a job may complete first: how it ended is what
 * its record says. With a job go those that it waits for. `by` and the reason stand there; of several cancellers the first
 * counts, and the others get `done: false`.
 *
 * With a command's id every repeat within a day is answered as the first was, also where that was a refusal, through
 * whichever process. The id is remembered in the job's queue.
 * @throws SpillwayError `job_not_found`, `job_final` (completed or failed), `command_id_reused`, `unavailable`
 */
export type Cancel = (id: string, by: string, options?: CancelOptions) => Promise<ControlOutcome>;

/** The one order that a status process gives; it needs nothing of the engine. */
export function createCancel(setup: { redis: Redis; prefix: string; now?: () => number }): Cancel {
  const { redis, prefix, now = Date.now } = setup;
  const cancelOne: Cancel = async (id, by, { reason, commandId } = {}) => {
    const queue = queueOf(id);
    if (!queue) throw notFound(id);
    const keys = queueKeys(prefix, queue);
    const at = now();
    const order: CancelOrder = { mark: encodeMark({ by, reason, at }), now: at };
    if (commandId !== undefined) {
      const says = reason === undefined ? `cancel ${id}` : `cancel ${id} ${reason}`;
      order.command = { key: keys.command(digest(by, commandId)), says, keptS: COMMAND_KEPT_S };
    }
    return outcome(await withRedis(redis, () => cancelJob(redis, keys, id, order)), id);
  };
  return cancellingChildren({ redis, prefix }, cancelOne);
}

/** Half a character, which a cut may leave, would make the mark unreadable to the script. */
export function encodeMark({ by, reason, at }: { by: string; reason: string | undefined; at: number }): string {
  const mark: Cancellation = { by, ...(reason !== undefined && { reason }), at: new Date(at).toISOString() };
  return JSON.stringify(mark, (_key, value: unknown) =>
    typeof value === 'string' ? value.replace(/\p{Surrogate}/gu, '\ufffd') : value,
  );
}

function outcome(found: unknown, id: string): ControlOutcome {
  switch (found) {
    case 1:
    case 3:
      return { done: true };
    case 2:
    case 4:
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
      throw new SpillwayError('job_active', `expected a job that waits or runs, got ${id}, which stands in no line`);
  }
}

/** Both are somebody else's text of any length and content; the separator keeps `a` + `bc` apart from `ab` + `c`. */
function digest(by: string, commandId: string): string {
  return createHash('sha256').update(`${by}\0${commandId}`).digest('base64url');
}

export function notFound(id: string): SpillwayError {
  return new SpillwayError('job_not_found', `expected the id of a stored job, got ${JSON.stringify(id)}`);
}
