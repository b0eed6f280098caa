import type { Redis } from '@spillway/bullmq';
import type { QueueKeys } from '../engine/keys.ts';
import { OUTPUT_TTL_S, STEP_BYTES_MAX, STEP_NAME_MAX, STEPS_MAX } from '../engine/limits.ts';
import type { ReportedLease } from './reports.ts';
import { readSteps, writeStep } from './step-script.ts';

/**
 * What the finished steps of a job gave, across its attempts and workers. Two plain calls with text in and out, so that a
 * handler in another thread or process can make them by message.
 */
export interface JobSteps {
  /**
   * The value of a finished step as it was remembered, or undefined where there is none. All steps of the job are read at
   * the first call. @throws RangeError where the name is new and the job has 100 steps; LeaseLostError where the attempt did
   * not hold the job any more at the first call: its signal is aborted then.
   */
  recall(name: string): Promise<string | undefined>;
  /**
   * Keeps a step's value, which is JSON text, or empty for none. Once it resolves, every later attempt recalls it.
   * @throws RangeError for a name above 100 characters, a value above 64 KB and a 101st step; LeaseLostError where the
   * attempt holds the job no longer: its signal is aborted then.
   */
  remember(name: string, json: string): Promise<void>;
}

/** Thrown by what a lease forbids once it is lost: the job runs elsewhere, or has ended. */
export class LeaseLostError extends Error {
  constructor(what: string) {
    super(`${what}: expected the attempt to hold its job, and the lease is lost`);
    this.name = 'LeaseLostError';
  }
}

/** Steps of the jobs that one worker runs in one queue. `job` is the engine's object, the same one for a whole attempt. */
export interface Steps {
  open(lease: ReportedLease, job: object): JobSteps;
  /** Lets go of a completed job's steps; does nothing for a job that has none. */
  forget(job: object): void;
}

export function createSteps(setup: {
  redis: Redis;
  keys: QueueKeys;
  /** Called when Redis refused a step because its lease is lost. */
  onLost: (lease: ReportedLease) => void;
  onError: (error: Error) => void;
}): Steps {
  const { redis, keys, onLost, onError } = setup;
  /** Jobs with at least one step in store, by the key of their steps. */
  const stored = new WeakMap<object, string>();

  function openSteps(lease: ReportedLease, job: object): JobSteps {
    const key = keys.steps(lease.id);
    let reading: Promise<Map<string, string>> | undefined;
    const lost = (what: string) => {
      onLost(lease);
      return new LeaseLostError(what);
    };
    const read = async () => {
      const flat = await readSteps(redis, [keys.job(lease.id), keys.lock(lease.id), key], [lease.token, lease.attempt]);
      if (!Array.isArray(flat)) throw lost('steps');
      return pairsOf(flat as string[]);
    };
    const known = () => {
      reading ??= read().catch((error: unknown) => {
        reading = undefined;
        throw error;
      });
      return reading;
    };
    return {
      async recall(name) {
        const steps = await known();
        if (steps.size > 0) stored.set(job, key);
        if (!steps.has(name) && steps.size >= STEPS_MAX) throw tooMany(name);
        return steps.get(name);
      },
      async remember(name, json) {
        assertFits(name, json);
        const written = await writeStep(
          redis,
          [keys.job(lease.id), keys.lock(lease.id), key],
          [lease.token, lease.attempt, name, json, STEPS_MAX, OUTPUT_TTL_S],
        );
        if (written === -1) throw tooMany(name);
        if (written === 0) throw lost(`step ${JSON.stringify(name)}`);
        stored.set(job, key);
        (await known()).set(name, json);
      },
    };
  }

  return {
    open: openSteps,
    forget(job) {
      const key = stored.get(job);
      // What is left behind by a worker that dies right here expires.
      if (key) redis.unlink(key).catch(onError);
    },
  };
}

function pairsOf(flat: readonly string[]): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let at = 0; at < flat.length; at += 2) pairs.set(flat[at] as string, flat[at + 1] as string);
  return pairs;
}

function assertFits(name: string, json: string): void {
  if (name.length > STEP_NAME_MAX)
    throw new RangeError(`step: expected a name of at most ${STEP_NAME_MAX} characters, got ${name.length}`);
  const bytes = Buffer.byteLength(json);
  if (bytes <= STEP_BYTES_MAX) return;
  throw new RangeError(
    `step ${JSON.stringify(name)}: expected a value of at most ${STEP_BYTES_MAX} bytes of JSON, got ${bytes}; save it as a file and return its reference`,
  );
}

function tooMany(name: string): RangeError {
  return new RangeError(`step: expected at most ${STEPS_MAX} steps a job, got a further one, ${JSON.stringify(name)}`);
}
