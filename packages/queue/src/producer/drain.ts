import type { Redis } from '@spillway/bullmq';
import type { DrainReply, DrainRequest } from '@spillway/contracts';
import { queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { encodeMark } from './cancel.ts';
import { drainLine } from './drain-script.ts';

/** Jobs that one step ends: about five milliseconds, in which Redis serves nobody else. */
const CHUNK = 200;
/** Jobs that one call ends where it does not say: a few tenths of a second. */
const LIMIT_DEFAULT = 10_000;

/**
 * Parents come back to their lines when a child that they need is cancelled, and groups let jobs go when others are, so the
 * plain line, the nearest, is the last.
 */
const LINES = [
  { name: 'delayed', kind: 'set' },
  { name: 'prioritized', kind: 'set' },
  { name: 'grouped', kind: 'groups' },
  { name: 'wait', kind: 'list' },
] as const;

/**
 * Cancels the jobs of a queue that wait, and with `delayed` those that wait for their time, in steps. Each step is whole by
 * itself: a call that is cut short has done a part, and the next one goes on. What comes while it works is taken too.
 */
export async function drain(
  { redis, prefix, now }: { redis: Redis; prefix: string; now: () => number },
  queue: string,
  by: string,
  { delayed = false, reason, limit = LIMIT_DEFAULT }: DrainRequest,
): Promise<DrainReply> {
  const keys = queueKeys(prefix, queue);
  const { failed, events, base } = keys;
  let cancelled = 0;
  for (const { name, kind } of LINES) {
    if (name === 'delayed' && !delayed) continue;
    for (let isEmpty = false; !isEmpty; ) {
      const most = Math.min(CHUNK, limit - cancelled);
      if (most === 0) return { cancelled, more: true };
      const at = now();
      const [taken = 0, ended = 0] = (await drainLine(
        redis,
        [keys[name], keys.wait, keys.prioritized, keys.delayed, keys.blocked, keys.active, failed, events],
        [kind, encodeMark({ by, reason, at }), at, EVENTS_KEPT, base, most],
      )) as number[];
      cancelled += ended;
      isEmpty = taken < most;
    }
  }
  return { cancelled, more: false };
}
