import {
  type JobError,
  type JobTarget,
  type JobWatchResult,
  jobRoom,
  type SetTarget,
  type SetWatchResult,
  SpillwayError,
  setRoom,
  type WatchResult,
} from '@spillway/contracts';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import type { Logger } from '@spillway/runtime';
import type { Jobs } from './server.ts';
import type { Sets } from './sets.ts';
import { readTargets, targetsOrNone } from './targets.ts';
import { watchSet } from './watch-set.ts';

/** Jobs and sets that one connection may watch at a time. */
const WATCHED_MAX = 200;

type JobsSocket = Parameters<Parameters<Jobs['on']>[1]>[0];
type Setup = { feed: Feed; reader: Reader; sets: Sets; logger: Logger };

/** Answers `watch` and `unwatch` of every connection. */
export function serveWatches(jobs: Jobs, setup: Setup): void {
  jobs.on('connection', (socket) => {
    const watched = new Map<string, () => void>();
    socket.on('watch', (request, ack) => {
      if (typeof ack !== 'function') return;
      watchAll(socket, watched, request, setup)
        .then((results) => ack({ results }))
        .catch((error: unknown) => ack({ error: toJobError(error, setup.logger) }));
    });
    socket.on('unwatch', (request, ack) => {
      for (const target of targetsOrNone(() => readTargets(request))) unwatch(socket, watched, roomOf(target));
      if (typeof ack === 'function') ack({ ok: true });
    });
    socket.on('disconnect', () => {
      for (const release of watched.values()) release();
      watched.clear();
    });
  });
}

async function watchAll(
  socket: JobsSocket,
  watched: Map<string, () => void>,
  request: unknown,
  setup: Setup,
): Promise<WatchResult[]> {
  const targets = readTargets(request);
  assertFew(watched, targets.map(roomOf));
  return Promise.all(
    targets.map((target) =>
      'job' in target ? watch(socket, watched, target, setup) : watchAllOf(socket, watched, target, setup),
    ),
  );
}

/** @throws SpillwayError `invalid_request` */
export function assertFew(watched: ReadonlyMap<string, unknown>, rooms: readonly string[]): void {
  const fresh = rooms.filter((room) => !watched.has(room));
  if (watched.size + fresh.length <= WATCHED_MAX) return;
  throw new SpillwayError(
    'invalid_request',
    `expected at most ${WATCHED_MAX} watched jobs a connection, got ${watched.size + fresh.length}`,
  );
}

function roomOf(target: JobTarget | SetTarget): string {
  return 'job' in target ? jobRoom(target.job) : setRoom(target);
}

async function watchAllOf(
  socket: JobsSocket,
  watched: Map<string, () => void>,
  set: SetTarget,
  { sets, logger }: Setup,
): Promise<SetWatchResult> {
  try {
    return await watchSet(socket, watched, set, sets);
  } catch (error) {
    unwatch(socket, watched, setRoom(set));
    return { ...set, error: toJobError(error, logger) };
  }
}

/**
 * Follow the queue and join the room first, look second: what happens in between arrives as events that the snapshot
 * already holds, and the client drops those by their position.
 */
async function watch(
  socket: JobsSocket,
  watched: Map<string, () => void>,
  { job, after }: JobTarget,
  { feed, reader, logger }: Setup,
): Promise<JobWatchResult> {
  try {
    if (!watched.has(jobRoom(job))) await join(socket, watched, job, feed);
    const snapshot = await reader.snapshot(job, after);
    if (!socket.data.access.maySee(snapshot.job)) throw unknownJob(job);
    return { job, snapshot };
  } catch (error) {
    unwatch(socket, watched, jobRoom(job));
    return { job, error: toJobError(error, logger) };
  }
}

async function join(socket: JobsSocket, watched: Map<string, () => void>, job: string, feed: Feed): Promise<void> {
  const release = await feed.follow(job);
  // The connection may have gone, or the same job been asked for twice, while the feed was opening.
  const room = jobRoom(job);
  if (socket.disconnected || watched.has(room)) return release();
  watched.set(room, release);
  await socket.join(room);
}

function unwatch(socket: JobsSocket, watched: Map<string, () => void>, room: string): void {
  watched.get(room)?.();
  watched.delete(room);
  void socket.leave(room);
}

/** What the reader says of a job that does not exist: who may not see one learns no more than that. */
function unknownJob(id: string): SpillwayError {
  return new SpillwayError('job_not_found', `expected the id of a stored job, got ${JSON.stringify(id)}`);
}

export function toJobError(error: unknown, logger: Logger): JobError {
  if (error instanceof SpillwayError) return { code: error.code, message: error.message };
  logger.error({ err: error }, 'watch failed');
  return { code: 'internal', message: 'an unexpected error; the log of status has it' };
}
