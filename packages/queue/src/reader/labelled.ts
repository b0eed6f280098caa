import type { Redis } from '@spillway/bullmq';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { dropGone } from '../engine/label-script.ts';
import { type LabelTarget, labelParts } from '../engine/labels.ts';
import { grouped, readBrief } from './brief.ts';
import type { Members } from './index.ts';

/** How often the index is read again after ids of jobs that are gone were dropped from it; the last reading stands. */
const READS_MAX = 5;
/**
 * An id younger than this stays, also without a job: delayed and prioritized jobs are filed a moment before they are
 * stored. Generous, because ages compare the clocks of two machines.
 */
const MAY_COME_MS = 60_000;

interface Entry {
  id: string;
  createdAt: number;
  keys: QueueKeys;
}

/** The newest jobs with this label. Ids whose jobs are gone are dropped from the index by whoever comes across them. */
export async function readLabelled(
  redis: Redis,
  prefix: string,
  label: LabelTarget,
  queues: readonly string[],
  most: number,
): Promise<Members> {
  const all = queues.map((queue) => queueKeys(prefix, queue));
  for (let reads = 1; ; reads += 1) {
    const { entries, total } = await readIndex(redis, all, label, most);
    const ids = entries.map(({ id }) => id);
    const found = new Map((await readBrief(redis, prefix, ids)).map((snapshot) => [snapshot.job.id, snapshot]));
    const gone = entries.filter(({ id, createdAt }) => !found.has(id) && createdAt < Date.now() - MAY_COME_MS);
    await drop(redis, label, gone);
    if (gone.length === 0 || reads === READS_MAX) {
      const jobs = ids.flatMap((id) => {
        const snapshot = found.get(id);
        return snapshot ? [snapshot] : [];
      });
      return { jobs, total: total - (entries.length - jobs.length) };
    }
  }
}

async function readIndex(
  redis: Redis,
  queues: readonly QueueKeys[],
  label: LabelTarget,
  most: number,
): Promise<{ entries: Entry[]; total: number }> {
  const parts = await Promise.all(
    queues.map(async (keys) => {
      const key = keys.label(...labelParts(label));
      const [total, flat] = await Promise.all([redis.zcard(key), redis.zrevrange(key, 0, most - 1, 'WITHSCORES')]);
      return { total, entries: toEntries(keys, flat) };
    }),
  );
  const entries = parts.flatMap((part) => part.entries).sort((a, b) => b.createdAt - a.createdAt);
  return { entries: entries.slice(0, most), total: parts.reduce((sum, part) => sum + part.total, 0) };
}

function toEntries(keys: QueueKeys, flat: readonly string[]): Entry[] {
  const entries: Entry[] = [];
  for (let index = 0; index < flat.length; index += 2)
    entries.push({ id: flat[index] ?? '', createdAt: Number(flat[index + 1]), keys });
  return entries;
}

async function drop(redis: Redis, label: LabelTarget, gone: readonly Entry[]): Promise<void> {
  const byQueue = grouped(gone, ({ keys }) => keys);
  await Promise.all(
    [...byQueue].map(([keys, entries]) =>
      dropGone(redis, [keys.label(...labelParts(label))], [keys.base, ...entries.map(({ id }) => id)]),
    ),
  );
}
