import { type JobError, type JobTarget, type JobWatchResult, jobRoom, SpillwayError } from '@spillway/contracts';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import type { Logger } from '@spillway/runtime';
import type { Jobs } from './server.ts';
import { readTargets } from './targets.ts';

/** Jobs that one connection may watch at a time. */
const WATCHED_MAX = 200;

type JobsSocket = Parameters<Parameters<Jobs['on']>[1]>[0];
type Setup = { feed: Feed; reader: Reader; logger: Logger };

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
      for (const { job } of targetsOrNone(request)) unwatch(socket, watched, job);
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
): Promise<JobWatchResult[]> {
  const targets = readTargets(request);
  const fresh = targets.filter(({ job }) => !watched.has(job));
  if (watched.size + fresh.length > WATCHED_MAX) {
    throw new SpillwayError(
      'invalid_request',
      `expected at most ${WATCHED_MAX} watched jobs a connection, got ${watched.size + fresh.length}`,
    );
  }
  return Promise.all(targets.map((target) => watch(socket, watched, target, setup)));
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
    if (!watched.has(job)) await join(socket, watched, job, feed);
    const snapshot = await reader.snapshot(job, after);
    if (!socket.data.access.maySee(snapshot.job)) throw unknownJob(job);
    return { job, snapshot };
  } catch (error) {
    unwatch(socket, watched, job);
    return { job, error: toJobError(error, logger) };
  }
}

async function join(socket: JobsSocket, watched: Map<string, () => void>, job: string, feed: Feed): Promise<void> {
  const release = await feed.follow(job);
  // The connection may have gone, or the same job been asked for twice, while the feed was opening.
  if (socket.disconnected || watched.has(job)) return release();
  watched.set(job, release);
  await socket.join(jobRoom(job));
}

function unwatch(socket: JobsSocket, watched: Map<string, () => void>, job: string): void {
  watched.get(job)?.();
  watched.delete(job);
  void socket.leave(jobRoom(job));
}

function targetsOrNone(request: unknown): JobTarget[] {
  try {
    return readTargets(request);
  } catch {
    // Leaving what cannot be named is leaving nothing.
    return [];
  }
}

/** What the reader says of a job that does not exist: who may not see one learns no more than that. */
function unknownJob(id: string): SpillwayError {
  return new SpillwayError('job_not_found', `expected the id of a stored job, got ${JSON.stringify(id)}`);
}

function toJobError(error: unknown, logger: Logger): JobError {
  if (error instanceof SpillwayError) return { code: error.code, message: error.message };
  logger.error({ err: error }, 'watch failed');
  return { code: 'internal', message: 'an unexpected error; the log of status has it' };
}
