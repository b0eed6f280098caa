import type { Client, JobWatch } from '@spillway/client';
import type { JobState, WatchedJob } from '@spillway/contracts';
import type { LinesJob } from './stage.ts';

/** What a watcher was shown at one moment. */
export interface Sight {
  state: JobState;
  attempt: number;
  fraction: number;
  lines: number;
  chunks: number;
  /** How often its connection had come up by then: each time, the watcher asked anew. */
  connects: number;
}

/** A watcher that remembers everything that it was ever shown. */
export interface Witness {
  readonly job: LinesJob;
  readonly watch: JobWatch;
  readonly client: Client;
  readonly history: readonly Sight[];
}

/** Watches a job to its end through a client of its own, which the caller closes. */
export function witness(client: Client, job: LinesJob): Witness {
  const history: Sight[] = [];
  let connects = 0;
  client.connection.onChange((state) => {
    if (state === 'live') connects += 1;
  });
  const watch = client.watch(job.id);
  watch.onChange(({ job: { state, attempt, progress }, log, output }) => {
    const fraction = progress?.fraction ?? 0;
    history.push({ state, attempt, fraction, lines: log.length, chunks: output.length, connects });
  });
  return { job, watch, client, history };
}

/** What a watcher was told of a job, by numbers; and what there was to be told. */
interface Told {
  state: JobState;
  lines: string[];
  chunks: string[];
}

export function toldBy({ job, log, output }: WatchedJob): Told {
  return {
    state: job.state,
    lines: log.map(({ n, line }) => `${n} ${line}`),
    chunks: output.map(({ n, chunk }) => `${n} ${JSON.stringify(chunk)}`),
  };
}

/** Everything that a job says, once and in order, up to its good end. */
export function wholeTruth({ seed, steps, chunkLength = 16 }: LinesJob): Told {
  const numbers = Array.from({ length: steps }, (_, n) => n);
  const text = seed.padEnd(chunkLength, '.');
  return {
    state: 'completed',
    lines: numbers.map((n) => `${n} ${seed} line ${n}`),
    chunks: numbers.map((n) => `${n} ${JSON.stringify({ seed, n, text })}`),
  };
}

/** Where `told` differs from the truth, one place each for state, lines and chunks. */
export function flaws(told: Told, truth: Told): string[] {
  return [
    ...(told.state === truth.state ? [] : [`the state is ${told.state}, expected ${truth.state}`]),
    ...differences('line', told.lines, truth.lines),
    ...differences('chunk', told.chunks, truth.chunks),
  ];
}

function differences(what: string, seen: readonly string[], expected: readonly string[]): string[] {
  const at = expected.findIndex((each, index) => seen[index] !== each);
  if (at >= 0) return [`${what} ${at} of ${expected.length} is "${seen[at]}", expected "${expected[at]}"`];
  return seen.length > expected.length ? [`${seen.length - expected.length} ${what}s too many`] : [];
}

/**
 * The places where a history ran backwards: state, progress of one attempt, lines or chunks. A job goes from waiting to
 * active, back to waiting when its worker was lost, and to active again with the next attempt; a final state is the last.
 */
export function stepsBack(history: readonly Sight[]): string[] {
  return history.slice(1).flatMap((sight, index) => {
    const before = history[index] as Sight;
    const isBack =
      orderOf(sight) < orderOf(before) ||
      sight.lines < before.lines ||
      sight.chunks < before.chunks ||
      (sight.attempt === before.attempt && sight.fraction < before.fraction);
    return isBack ? [`${JSON.stringify(before)} → ${JSON.stringify(sight)}`] : [];
  });
}

function orderOf({ state, attempt }: Sight): number {
  switch (state) {
    case 'waiting':
    case 'delayed':
    case 'blocked':
      return 2 * attempt;
    case 'active':
      return 2 * attempt - 1;
    case 'completed':
    case 'failed':
    case 'cancelled':
      return Number.POSITIVE_INFINITY;
  }
}
