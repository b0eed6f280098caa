import { createHash } from 'node:crypto';
import type { DeduplicationOptions } from '@spillway/bullmq';
import { type Dedupe, type ScheduleRequest, SpillwayError } from '@spillway/contracts';

/** By what a job is told from others, and what happens where one stands. */
export interface DedupeBy {
  id: string;
  mode: NonNullable<Dedupe['mode']>;
}

export interface ReadDedupe {
  by: DedupeBy;
  /** Stored with the job: the engine lets go of the key when the job ends, and starts the one that was kept. */
  stored: { deduplication: DeduplicationOptions; delay?: number };
}

/**
 * What the option asks for. Keys are scoped by tenant and type: the input that replaces another is of its type.
 * @throws SpillwayError `invalid_request` for options that do not go together
 */
export function readDedupe(
  { key, mode = 'simple', ttlMs }: Dedupe,
  { type, tenant = '', delayMs = 0 }: { type: string; tenant: string | undefined; delayMs: number | undefined },
): ReadDedupe {
  const id = digestOf(tenant, type, key);
  switch (mode) {
    case 'simple':
      refuse('ttlMs', ttlMs, `none with mode ${mode}, which lasts until the job has ended`);
      return { by: { id, mode }, stored: { deduplication: { id } } };
    case 'keep-last':
      refuse('ttlMs', ttlMs, `none with mode ${mode}, which lasts until the job has ended`);
      return { by: { id, mode }, stored: { deduplication: { id, keepLastIfActive: true } } };
    case 'throttle':
      return { by: { id, mode }, stored: { deduplication: { id, ttl: needed(ttlMs, mode) } } };
    case 'debounce': {
      const ttl = needed(ttlMs, mode);
      if (delayMs > 0)
        throw invalid(
          '/options/delayMs',
          `expected none beside dedupe.mode debounce, which delays by ttlMs, got ${delayMs}`,
        );
      // Debounced jobs wait for as long as others may still come.
      return { by: { id, mode }, stored: { deduplication: { id, ttl, extend: true, reschedule: true }, delay: ttl } };
    }
  }
}

/** The schedule that submits a job, and what it does while an earlier one has not ended. */
export interface ScheduledBy {
  name: string;
  overlap: NonNullable<ScheduleRequest['overlap']>;
}

/** Jobs of a schedule stand for each other as jobs with one dedupe key do. Undefined where they may overlap. */
export function readOverlap(schedule: ScheduledBy | undefined): ReadDedupe | undefined {
  if (!schedule || schedule.overlap === 'allow') return undefined;
  // No type has an empty name, so this is nobody's key.
  const id = digestOf('', '', schedule.name);
  if (schedule.overlap === 'skip') return { by: { id, mode: 'simple' }, stored: { deduplication: { id } } };
  return { by: { id, mode: 'keep-last' }, stored: { deduplication: { id, keepLastIfActive: true } } };
}

/** 128 bits: the text is stored with each job, and may be a secret of the tenant's. */
function digestOf(tenant: string, type: string, key: string): string {
  return createHash('sha256').update(`${tenant}\0${type}\0${key}`).digest('base64url').slice(0, 22);
}

function needed(ttlMs: number | undefined, mode: string): number {
  if (ttlMs !== undefined) return ttlMs;
  throw invalid('/options/dedupe/ttlMs', `expected a number of milliseconds with mode ${mode}, got nothing`);
}

function refuse(field: string, value: unknown, expected: string): void {
  if (value !== undefined) throw invalid(`/options/dedupe/${field}`, `expected ${expected}, got ${String(value)}`);
}

function invalid(pointer: string, message: string): SpillwayError {
  return new SpillwayError('invalid_request', `${pointer} ${message}`, {
    errors: [{ pointer, message: `${pointer} ${message}` }],
  });
}
