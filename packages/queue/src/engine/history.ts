import { type AttemptRecord, HISTORY_KEPT } from '@spillway/contracts';
import { decodeFailure } from './failure.ts';
import type { JobRecord, Placement } from './record.ts';

/**
 * Past attempts stand in field `hist` of the job's own hash: they are read with it in one go, and forgotten with it
 * whoever removes it. Only what did not go well is written; a job that completes at once has no such field.
 */
interface StoredAttempt {
  attempt: number;
  worker?: string;
  startedAt?: number;
  endedAt: number;
  /** As `encodeFailure` makes it. */
  reason: string;
}

/**
 * Lua functions that write it. `endAttempt(job, endedAt, reason)` records the attempt that was started last and returns the
 * record as JSON; one that is recorded already (or never started) is left alone. Texts come in as they are, not as JSON:
 * the decoder stops at half a character.
 */
export const HISTORY_FUNCTIONS = `
local function pastAttempts(job)
  return cjson.decode(redis.call('HGET', job, 'hist') or '[]')
end

local function endAttempt(job, endedAt, reason)
  local known = redis.call('HMGET', job, 'ats', 'pb', 'processedOn')
  local attempt, past = tonumber(known[1] or 0), pastAttempts(job)
  if attempt == 0 or not known[3] or #past > 0 and past[#past].attempt >= attempt then return nil end
  local record = {attempt = attempt, worker = known[2] or nil, startedAt = tonumber(known[3]), endedAt = tonumber(endedAt), reason = reason}
  past[#past + 1] = record
  if #past > ${HISTORY_KEPT} then table.remove(past, 1) end
  redis.call('HSET', job, 'hist', cjson.encode(past))
  return cjson.encode(record)
end
`;

/** What happened to a job before, oldest first; the attempt that ended it is read off its own fields. Pure. */
export function readHistory({ place }: Placement, record: JobRecord): AttemptRecord[] {
  const past = record.hist ? (JSON.parse(record.hist) as StoredAttempt[]).map(toAttempt) : [];
  const attempt = Number(record.ats ?? 0);
  const { processedOn, finishedOn, pb: worker, failedReason: reason = '' } = record;
  if (place !== 'failed' || !processedOn || (past.at(-1)?.attempt ?? 0) >= attempt) return past;
  const last: StoredAttempt = { attempt, startedAt: Number(processedOn), endedAt: Number(finishedOn), reason };
  return [...past, toAttempt(worker ? { ...last, worker } : last)].slice(-HISTORY_KEPT);
}

/** @throws SyntaxError when the text is no JSON. */
export function parseAttempt(text: string): AttemptRecord {
  return toAttempt(JSON.parse(text) as StoredAttempt);
}

function toAttempt({ attempt, worker, startedAt, endedAt, reason }: StoredAttempt): AttemptRecord {
  return {
    attempt,
    ...(worker && { worker }),
    ...(startedAt !== undefined && { startedAt: new Date(startedAt).toISOString() }),
    endedAt: new Date(endedAt).toISOString(),
    error: decodeFailure(reason),
  };
}
