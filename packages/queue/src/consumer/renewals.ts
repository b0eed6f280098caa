import type { Redis } from '@spillway/bullmq';
import type { QueueKeys } from '../engine/keys.ts';
import { defineScript } from '../engine/script.ts';
import { reportOthers } from '../engine/unavailable.ts';

/**
 * How long a worker holds a job without renewing its lease. Renewals run on the event loop of the handlers, every second
 * and at most two apart: a handler that blocks for up to 7 s keeps every lease of its process, one that blocks for more than
 * 9 s loses all of them. A killed worker's job is taken by another one 7 to 11 s later: what is left of the lease, and the
 * next look. The engine's defaults, 30 s each, measured 60 s (docs/decisions/0017-lost-workers.md has the figures).
 */
export const LEASE_MS = 9000;
const RENEW_MS = 1000;

/** What is renewed: this start of the job, under this token. */
export interface HeldLease {
  readonly id: string;
  readonly token: string;
  readonly attempt: number;
  /** By the clock of this process. */
  readonly since: number;
  abort(reason: Error): void;
}

/**
 * Renews leases for as long as they have what the worker was given with the job. A worker keeps its token from one job to
 * the next, so a repeated job may have it again: the attempt tells them apart.
 *
 * ARGV  1 key prefix of the queue  2 ms, then three for each lease: id, token, attempt
 * Returns 1 (renewed) or 0 (lost) for each.
 */
const extendLeases = defineScript(`
local answers = {}
for at = 3, #ARGV, 3 do
  local job = ARGV[1] .. ARGV[at]
  local mine = redis.call('GET', job .. ':lock') == ARGV[at + 1] and redis.call('HGET', job, 'ats') == ARGV[at + 2]
  answers[#answers + 1] = mine and redis.call('PEXPIRE', job .. ':lock', ARGV[2]) or 0
end
return answers
`);

/**
 * The engine's own renewals know jobs by their ids alone: where a worker takes a job again whose lease it lost a moment
 * ago, the end of the first run would stop the renewals of the second.
 */
export function createRenewals(setup: {
  redis: Redis;
  keys: QueueKeys;
  /** The leases of one queue that this process holds; each is renewed until it is no longer among them, or lost: then it is aborted. */
  held: ReadonlySet<HeldLease>;
  leaseMs?: number;
  onError: (error: Error) => void;
  now?: () => number;
}): { stop(): void } {
  const { redis, keys, held, leaseMs = LEASE_MS, now = Date.now } = setup;
  const renewMs = Math.min(RENEW_MS, leaseMs / 3);
  const report = reportOthers(setup.onError);
  const lost = new WeakSet<HeldLease>();
  let renewing = false;

  async function renew(due: readonly HeldLease[]): Promise<void> {
    const leases = due.flatMap(({ id, token, attempt }) => [id, token, attempt]);
    const answers = (await extendLeases(redis, [keys.active], [keys.base, leaseMs, ...leases])) as number[];
    for (const [index, lease] of due.entries()) {
      // One that has ended meanwhile is not lost: its end gave the lease back.
      if (answers[index] === 1 || !held.has(lease)) continue;
      lost.add(lease);
      lease.abort(new Error('lease lost'));
    }
  }

  const timer = setInterval(() => {
    if (renewing) return;
    // Most jobs end before their first renewal. What waits for a Redis that is away must not pile up.
    const due = [...held].filter((lease) => now() - lease.since >= renewMs && !lost.has(lease));
    if (due.length === 0) return;
    renewing = true;
    renew(due)
      .catch(report)
      .finally(() => {
        renewing = false;
      });
  }, renewMs);

  return { stop: () => clearInterval(timer) };
}
