import type { Redis } from 'ioredis';
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
  readonly attempt: number;
  abort(reason: Error): void;
}

interface Held {
  lease: HeldLease;
  token: string;
  since: number;
}

/** Renews the leases of one queue that this process holds. */
export interface Renewals {
  /** Renews the lease until the returned function is called, or it is lost: then the lease is aborted. */
  hold(lease: HeldLease, token: string): () => void;
  stop(): void;
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
  leaseMs?: number;
  onError: (error: Error) => void;
  now?: () => number;
}): Renewals {
  const { redis, keys, leaseMs = LEASE_MS, now = Date.now } = setup;
  const renewMs = Math.min(RENEW_MS, leaseMs / 3);
  const report = reportOthers(setup.onError);
  const held = new Set<Held>();
  let renewing = false;

  async function renew(due: readonly Held[]): Promise<void> {
    const leases = due.flatMap(({ lease, token }) => [lease.id, token, lease.attempt]);
    const answers = (await extendLeases(redis, [keys.active], [keys.base, leaseMs, ...leases])) as number[];
    for (const [index, lost] of due.entries()) {
      if (answers[index] === 1) continue;
      // One that has ended meanwhile is not lost: its end gave the lease back.
      if (held.delete(lost)) lost.lease.abort(new Error('lease lost'));
    }
  }

  const timer = setInterval(() => {
    // Most jobs end before their first renewal. What waits for a Redis that is away must not pile up.
    const due = renewing ? [] : [...held].filter(({ since }) => now() - since >= renewMs);
    if (due.length === 0) return;
    renewing = true;
    renew(due)
      .catch(report)
      .finally(() => {
        renewing = false;
      });
  }, renewMs);

  return {
    hold(lease, token) {
      const entry = { lease, token, since: now() };
      held.add(entry);
      return () => held.delete(entry);
    },
    stop: () => clearInterval(timer),
  };
}
