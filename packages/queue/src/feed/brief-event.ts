import type { JobChange } from '@spillway/contracts';
import type { Labels } from '../engine/labels.ts';
import type { JobRecord } from '../engine/record.ts';
import { pairs } from '../engine/snapshot.ts';
import { parseEvent, type StreamEntry, type Wanted } from './parse-event.ts';

/** What an entry says to somebody who follows a whole queue: state and progress, never log, output or result. */
export interface BriefEvent {
  job: string;
  pos: string;
  at: number;
  /** Absent where the entry only names the job. */
  change?: JobChange;
  /** What the entry says about the job's labels: `{}` is "none", absent is "nothing". */
  labels?: Labels;
}

/** Fields that are read here; the others may be large, and nobody needs them who watches many jobs at once. */
const LIGHT = ['event', 'jobId', 'delay', 'failedReason', 'cancel', 'data', 'attempt', 'ended', 'attempts'];

const ANY: Wanted = { has: () => true };

/** Pure. @throws SyntaxError when a field that should be JSON is none; callers skip such an entry. */
export function parseBrief([pos, flat]: StreamEntry): BriefEvent | undefined {
  const fields = pairs(flat);
  const { jobId: job } = fields;
  // A report without progress is log and output only.
  if (!job || fields.event === 'report') return undefined;
  const change = readChange([pos, LIGHT.flatMap((name) => (fields[name] === undefined ? [] : [name, fields[name]]))]);
  const labels = readLabels(fields);
  if (!change && !labels) return undefined;
  return { job, pos, at: Number(pos.split('-')[0]), ...(change && { change }), ...(labels && { labels }) };
}

/** A job that waits and came from nowhere is new: what it does not say of its labels there it never will. */
function readLabels({ event, labels, prev }: JobRecord): Labels | undefined {
  if (labels) return JSON.parse(labels) as Labels;
  return event === 'waiting' && prev === undefined ? {} : undefined;
}

function readChange(entry: StreamEntry): JobChange | undefined {
  const event = parseEvent(entry, ANY);
  if (!event) return undefined;
  const { job: _job, pos: _pos, at: _at, ...change } = event;
  if (change.kind !== 'state') return change;
  // Lists show neither.
  const { result: _result, ended: _ended, ...brief } = change;
  return brief;
}
