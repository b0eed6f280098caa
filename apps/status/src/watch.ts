import { type JobTarget, type JobWatchResult, jobRoom, SpillwayError } from '@spillway/contracts';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import type { Logger } from '@spillway/runtime';
import { assertMaySee } from './access.ts';
import { type LiveSocket, leave } from './live-socket.ts';
import { toJobError } from './problem.ts';
import type { Serve } from './requests.ts';
import { readTargets } from './targets.ts';

interface Setup {
  feed: Feed;
  reader: Reader;
  logger: Logger;
  /** Targets that one connection may watch at a time. */
  watchedMax: number;
  /** Called when the connection has its first answer. */
  onWatched: (socket: LiveSocket) => void;
}

/** Answers `watch` and `unwatch` of one connection. */
export function serveWatches(socket: LiveSocket, serve: Serve, setup: Setup): void {
  serve('watch', async (request) => {
    try {
      return { results: await watchAll(socket, request, setup) };
    } finally {
      setup.onWatched(socket);
    }
  });
  serve('unwatch', (request) => {
    for (const { job } of targetsOrNone(request)) leave(socket, jobRoom(job));
    return { ok: true };
  });
  socket.once('disconnect', () => {
    for (const { release } of socket.data.watched.values()) release();
    socket.data.watched.clear();
  });
}

async function watchAll(socket: LiveSocket, request: unknown, setup: Setup): Promise<JobWatchResult[]> {
  const ended = socket.data.access.ended();
  if (ended) throw ended;
  const targets = readTargets(request);
  const { watched } = socket.data;
  const fresh = new Set(targets.map(({ job }) => jobRoom(job)).filter((room) => !watched.has(room)));
  if (watched.size + fresh.size > setup.watchedMax) {
    throw new SpillwayError(
      'invalid_request',
      `expected at most ${setup.watchedMax} watched targets a connection, got ${watched.size + fresh.size}`,
    );
  }
  return Promise.all(targets.map((target) => watch(socket, target, setup)));
}

/**
 * Follow the queue and join the room first, look second: what happens in between arrives as events that the snapshot
 * already holds, and the client drops those by their position. The right to the job comes before either: nothing of a
 * job leaves before that is known.
 */
async function watch(
  socket: LiveSocket,
  { job, after }: JobTarget,
  { feed, reader, logger }: Setup,
): Promise<JobWatchResult> {
  try {
    await assertMaySee(socket.data.access, job, reader);
    if (!socket.data.watched.has(jobRoom(job))) await join(socket, job, feed);
    return { job, snapshot: await reader.snapshot(job, after) };
  } catch (error) {
    leave(socket, jobRoom(job));
    return { job, error: toJobError(error, logger) };
  }
}

async function join(socket: LiveSocket, job: string, feed: Feed): Promise<void> {
  const { watched } = socket.data;
  const room = jobRoom(job);
  const release = await feed.follow(job);
  // The connection may have gone, or the same job been asked for twice, while the feed was opening.
  if (socket.disconnected || watched.has(room)) return release();
  watched.set(room, { target: { job }, release });
  await socket.join(room);
}

function targetsOrNone(request: unknown): JobTarget[] {
  try {
    return readTargets(request);
  } catch {
    // Leaving what cannot be named is leaving nothing.
    return [];
  }
}
