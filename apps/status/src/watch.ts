import { type JobTarget, type JobWatchResult, jobRoom, SpillwayError } from '@spillway/contracts';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import type { Logger } from '@spillway/runtime';
import { assertMaySee } from './access.ts';
import { toJobError } from './problem.ts';
import type { Jobs, JobsSocket } from './server.ts';
import { readTargets } from './targets.ts';

/** Jobs that one connection may watch at a time. */
const WATCHED_MAX = 200;

type Setup = { feed: Feed; reader: Reader; logger: Logger };

/** Answers `watch` and `unwatch` of every connection. */
export function serveWatches(jobs: Jobs, setup: Setup): void {
  jobs.on('connection', (socket) => {
    const watched = new Map<string, () => void>();
    socket.data.watches = {
      targets: () => [...watched.keys()].map((job) => ({ job })),
      leave: (target) => 'job' in target && unwatch(socket, watched, target.job),
    };
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
  const ended = socket.data.access.ended();
  if (ended) throw ended;
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
 * already holds, and the client drops those by their position. The right to the job comes before either: nothing of a
 * job leaves before that is known.
 */
async function watch(
  socket: JobsSocket,
  watched: Map<string, () => void>,
  { job, after }: JobTarget,
  { feed, reader, logger }: Setup,
): Promise<JobWatchResult> {
  try {
    await assertMaySee(socket.data.access, job, reader);
    if (!watched.has(job)) await join(socket, watched, job, feed);
    const snapshot = await reader.snapshot(job, after);
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
