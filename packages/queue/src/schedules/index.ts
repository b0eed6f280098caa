import { randomBytes } from 'node:crypto';
import type { Redis } from '@spillway/bullmq';
import { SCHEDULES_MAX, type ScheduleRequest, SpillwayError, type TickOutcome } from '@spillway/contracts';
import { registryKeys } from '../engine/keys.ts';
import type { JobRecord } from '../engine/record.ts';
import { pairs } from '../engine/snapshot.ts';
import { withRedis } from '../engine/unavailable.ts';
import { meaningOf } from '../producer/canonical.ts';
import { invalidCursor, readCursor, writeCursor } from '../reader/list.ts';
import {
  advanceSchedule,
  lookAfterSchedules,
  pauseSchedule,
  putSchedule,
  releaseSchedules,
  removeSchedule,
  resumeSchedule,
  settleSchedule,
} from './scripts.ts';

/** A schedule as it is stored. Times are milliseconds since the epoch, by the clock of Redis. */
export interface StoredSchedule {
  name: string;
  definition: ScheduleRequest;
  /** A random text that is new whenever the definition is. */
  revision: string;
  tenant: string | undefined;
  /** The next tick; none while it is paused or has come to its end. */
  due: number | undefined;
  /** Ticks that have fired and whose jobs may not be stored yet. */
  pending: readonly number[];
  paused: boolean;
  ticks: number;
  last: TickOutcome | undefined;
  createdAt: number;
  changedAt: number;
}

/** What whoever looks after schedules found. */
export interface DueSchedules {
  now: number;
  schedules: StoredSchedule[];
  /** Whether there may be more that are due. */
  more: boolean;
  /** When the first of the others is due. */
  nextAt: number | undefined;
}

/**
 * Schedules in Redis. Nothing here knows a calendar: when a schedule is due next is said by the caller, counted from
 * `now()`. All calls fail with `unavailable` within seconds while Redis is away.
 */
export interface Schedules {
  /** The time by the clock of Redis, which is the one that all processes go by. */
  now(): Promise<number>;
  /** @throws SpillwayError `schedule_not_found` */
  get(name: string): Promise<StoredSchedule>;
  /** By name. @throws SpillwayError `invalid_request` for a cursor that is not ours */
  list(page: { limit: number; cursor?: string | undefined }): Promise<{ schedules: StoredSchedule[]; next?: string }>;
  /**
   * Makes the schedule, or replaces it and begins to count anew. The same again changes nothing. One that is paused stays so.
   * @throws SpillwayError `too_many_schedules`
   */
  put(schedule: {
    name: string;
    definition: ScheduleRequest;
    tenant: string | undefined;
    due: number | undefined;
    /** When that was counted from. */
    now: number;
  }): Promise<'created' | 'changed' | 'unchanged'>;
  /** Jobs that it has submitted stay. @throws SpillwayError `schedule_not_found` */
  remove(name: string): Promise<void>;
  /** Resolves with whether it was this call. @throws SpillwayError `schedule_not_found` */
  pause(name: string): Promise<boolean>;
  /** Goes on with the tick that `due` says. Resolves with whether it was this call. @throws SpillwayError `schedule_not_found` */
  resume(name: string, due: (schedule: StoredSchedule) => Promise<number | undefined>): Promise<boolean>;
  /**
   * What is due, for the one process that looks after schedules: the first to ask, until it has not asked for three seconds.
   * Undefined for all others.
   */
  look(holder: string): Promise<DueSchedules | undefined>;
  /** Fires ticks and says the next one. False where another process was faster or the schedule was changed: do nothing then. */
  advance(seen: StoredSchedule, fire: readonly number[], next: number | undefined): Promise<boolean>;
  /** Says that the jobs of the pending ticks are stored. A repeat is harmless. */
  settle(seen: StoredSchedule, pending: readonly number[], last: TickOutcome): Promise<void>;
  /** Lets another process look at once. */
  release(holder: string): Promise<void>;
}

/** Longer than three looks, so that a slow one loses nothing; short, because nothing fires after its holder has died. */
const LEASE_MS = 3000;
/** Schedules in one look: they come with their inputs, 256 KB each at most. */
const LOOK_MAX = 20;

export function createSchedules({ redis, prefix }: { redis: Redis; prefix: string }): Schedules {
  const keys = registryKeys(prefix);
  const touched = (name: string) => [keys.schedule(name), keys.schedules, keys.schedulesDue, keys.schedulesLease];
  const ask = <T>(command: () => Promise<T>) => withRedis(redis, command);

  async function find(name: string): Promise<StoredSchedule> {
    const schedule = toSchedule(name, await redis.hgetall(keys.schedule(name)));
    if (!schedule) throw notFound(name);
    return schedule;
  }

  return {
    now: () =>
      ask(async () => {
        const [seconds, micros] = await redis.time();
        return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
      }),
    get: (name) => ask(() => find(name)),
    list: ({ limit, cursor }) =>
      ask(async () => {
        const from = cursor === undefined ? '-' : `(${nameIn(cursor)}`;
        const names = await redis.zrangebylex(keys.schedules, from, '+', 'LIMIT', 0, limit + 1);
        const shown = names.slice(0, limit);
        const records = await Promise.all(shown.map((name) => redis.hgetall(keys.schedule(name))));
        return {
          schedules: records.flatMap((record, index) => toSchedule(shown[index] ?? '', record) ?? []),
          ...(names.length > limit && { next: writeCursor({ schedule: shown.at(-1) }) }),
        };
      }),
    put: ({ name, definition, tenant, due, now }) =>
      ask(async () => {
        const said = [
          meaningOf([definition, tenant]),
          JSON.stringify(definition),
          randomBytes(16).toString('base64url'),
        ];
        const args = [name, ...said, tenant ?? '', due ?? '', now, SCHEDULES_MAX];
        const outcome = (await putSchedule(redis, touched(name), args)) as 'created' | 'changed' | 'unchanged' | 'full';
        if (outcome !== 'full') return outcome;
        throw new SpillwayError(
          'too_many_schedules',
          `expected at most ${SCHEDULES_MAX} schedules, got one more; remove one first`,
        );
      }),
    remove: (name) =>
      ask(async () => {
        if ((await removeSchedule(redis, touched(name), [name])) === 0) throw notFound(name);
      }),
    pause: (name) =>
      ask(async () => {
        const done = await pauseSchedule(redis, touched(name), [name]);
        if (done === -1) throw notFound(name);
        return done === 1;
      }),
    resume: (name, due) =>
      ask(async () => {
        for (;;) {
          const schedule = await find(name);
          const args = [name, schedule.revision, (await due(schedule)) ?? ''];
          const done = await resumeSchedule(redis, touched(name), args);
          if (done !== -1) return done === 1;
        }
      }),
    look: (holder) =>
      ask(async () => {
        const args = [holder, LEASE_MS, LOOK_MAX, keys.schedule('')];
        const reply = (await lookAfterSchedules(redis, touched(''), args)) as LookReply | null;
        return reply ? toDue(reply) : undefined;
      }),
    advance: ({ name, revision, due = '' }, fire, next) =>
      ask(async () => {
        const pending = fire.length > 0 ? JSON.stringify(fire) : '';
        const args = [name, revision, due, pending, fire.length, next ?? ''];
        return (await advanceSchedule(redis, touched(name), args)) === 1;
      }),
    settle: ({ name, revision }, pending, last) =>
      ask(async () => {
        const args = [name, revision, JSON.stringify(pending), JSON.stringify(last)];
        await settleSchedule(redis, touched(name), args);
      }),
    release: (holder) =>
      ask(async () => {
        await releaseSchedules(redis, touched(''), [holder]);
      }),
  };
}

type LookReply = [now: string, nextAt: string | null, ...due: (string | string[])[]];

function toDue([now, nextAt, ...due]: LookReply): DueSchedules {
  const schedules: StoredSchedule[] = [];
  for (let at = 0; at < due.length; at += 2) {
    const schedule = toSchedule(String(due[at]), pairs(due[at + 1] as string[]));
    if (schedule) schedules.push(schedule);
  }
  return {
    now: Number(now),
    schedules,
    more: due.length / 2 === LOOK_MAX,
    nextAt: nextAt === null ? undefined : Number(nextAt),
  };
}

/** Undefined where there is no schedule, or no longer. */
function toSchedule(name: string, record: JobRecord): StoredSchedule | undefined {
  const { definition, revision = '', tenant, due, pending = '[]', paused, ticks, last, createdAt, changedAt } = record;
  if (definition === undefined) return undefined;
  return {
    name,
    definition: JSON.parse(definition) as ScheduleRequest,
    revision,
    tenant,
    due: due === undefined ? undefined : Number(due),
    pending: JSON.parse(pending) as number[],
    paused: paused !== undefined,
    ticks: Number(ticks),
    last: last === undefined ? undefined : (JSON.parse(last) as TickOutcome),
    createdAt: Number(createdAt),
    changedAt: Number(changedAt),
  };
}

function nameIn(cursor: string): string {
  const { schedule } = (readCursor(cursor) ?? {}) as { schedule?: unknown };
  if (typeof schedule === 'string') return schedule;
  throw invalidCursor();
}

function notFound(name: string): SpillwayError {
  return new SpillwayError('schedule_not_found', `expected the name of a schedule, got ${JSON.stringify(name)}`);
}
