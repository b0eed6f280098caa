import type { Redis } from '@spillway/bullmq';
import { type Job as EngineJob, WaitingError } from '@spillway/bullmq';
import { groupField, releaseSlots, sweepGroups } from '../engine/groups.ts';
import type { QueueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import type { StoredOptions } from '../engine/record.ts';
import { reportOthers } from '../engine/unavailable.ts';
import type { Luggage } from './end-together.ts';
import { claimSlot } from './group-claim-script.ts';

/** How often each worker asks for slots that nobody gave back. Whoever asks first in this time looks, for all workers of the queue. */
const SWEEP_MS = 1000;
/** Less than that, so that a worker which looks alone is not held up by its own last look. */
const SWEPT_MS = 900;

/** Ids in one call at most: Redis serves nobody else meanwhile, and at about 15 µs each this stays at a millisecond and a half. */
const RELEASE_MAX = 100;

type Taken = Pick<EngineJob<unknown, unknown, string>, 'id' | 'opts' | 'attemptsStarted' | 'attemptsMade'>;

/** The slots of the groups whose jobs one worker runs in one queue. Jobs without a group pay nothing. */
export interface GroupSlots {
  /** To be called for each job that was taken: the script that ends it gives its slot back and lets the next ones go. */
  take(job: Taken): void;
  /** To be called where the job goes back without an end, with its slot. */
  leave(job: Taken): void;
  /** Whether the job has to be asked for: it has a group, and may not have come through its line. */
  mustClaim(job: Taken): boolean;
  /**
   * Resolves where the job may start. @throws WaitingError where the worker has it no longer: it is in its group's line, or
   * Redis could not be asked and its lease runs out.
   */
  claim(job: Taken, token: string | undefined): Promise<void>;
  /** To be called when the worker finds the main line empty: it may run dry long before the first job of a group ends. */
  drained(): void;
  /** To be called once the job waits for its next attempt, or has ended without having been taken. Never throws: what is lost here, the sweep finds. */
  release(job: Taken | undefined): void;
  /** Resolves once everything that was released is known to Redis, or was given up. */
  settled(): Promise<void>;
  stop(): void;
}

export function holdGroupSlots(setup: {
  redis: Redis;
  keys: QueueKeys;
  ends: Luggage['grouped'];
  onError: (error: Error) => void;
}): GroupSlots {
  const { redis, keys, ends } = setup;
  const report = reportOthers(setup.onError);
  const released: string[] = [];
  let sending: Promise<void> | undefined;
  let opening: NodeJS.Timeout | undefined;
  let isWanted = false;
  let sweeping = false;
  let stopped = false;
  /** Whether a job of a group has been taken since the last look: only then is it worth asking for more. */
  let tookGrouped = false;

  /** Those that end while one call is under way share the next. */
  async function send(): Promise<void> {
    do {
      isWanted = false;
      const ids = released.splice(0, RELEASE_MAX);
      await releaseSlots(redis, keys, ids).then(pumpAt, report);
    } while (isWanted || released.length > 0);
    sending = undefined;
  }

  function pump(): void {
    // What a call that is under way has moved may have been taken already.
    isWanted = true;
    sending ??= new Promise<void>(setImmediate).then(send);
  }

  /** Whoever has moved jobs last knows when the next window opens. */
  function pumpAt(opensInMs: number | undefined): void {
    clearTimeout(opening);
    if (opensInMs !== undefined && !stopped) opening = setTimeout(pump, Math.max(1, opensInMs)).unref();
  }

  const timer = setInterval(() => {
    tookGrouped = false;
    // What waits for a Redis that is away must not pile up.
    if (sweeping || redis.status !== 'ready') return;
    sweeping = true;
    sweepGroups(redis, keys, SWEPT_MS)
      .then((opensInMs) => opensInMs !== undefined && pumpAt(opensInMs), report)
      .finally(() => {
        sweeping = false;
      });
  }, SWEEP_MS);

  return {
    take(job) {
      if (groupOf(job) === undefined) return;
      tookGrouped = true;
      ends.set(job.id ?? '', pumpAt);
    },
    leave(job) {
      ends.delete(job.id ?? '');
    },
    mustClaim: (job) => groupOf(job) !== undefined && !wasLetGo(job),
    drained() {
      if (tookGrouped && !stopped) pump();
    },
    async claim(job, token) {
      const { events, active, stalled } = keys;
      const field = groupField(job.opts as StoredOptions) ?? '';
      const args = [keys.base, EVENTS_KEPT, job.id ?? '', token ?? '', field];
      const mayStart = await claimSlot(redis, [events, active, stalled], args).catch(report);
      if (mayStart === 1) return;
      ends.delete(job.id ?? '');
      throw new WaitingError();
    },
    release(job) {
      if (!job?.id || groupOf(job) === undefined) return;
      ends.delete(job.id);
      released.push(job.id);
      pump();
    },
    settled: () => sending ?? Promise.resolve(),
    stop() {
      stopped = true;
      clearInterval(timer);
      clearTimeout(opening);
    },
  };
}

function groupOf({ opts }: Pick<Taken, 'opts'>): string | undefined {
  return (opts as StoredOptions).group;
}

/** Whether a job can only have come through its group's line: the engine brings those that waited for something else. Pure. */
export function wasLetGo({ opts, attemptsStarted, attemptsMade }: Omit<Taken, 'id'>): boolean {
  const { delay, deduplication, ungranted } = opts as Taken['opts'] & StoredOptions;
  return attemptsStarted === 1 && attemptsMade === 0 && !delay && !deduplication && !ungranted;
}
