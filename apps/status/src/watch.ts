import {
  type JobTarget,
  type JobWatchResult,
  jobRoom,
  SpillwayError,
  setRoom,
  type WatchResult,
  type WatchTarget,
} from '@spillway/contracts';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import type { Logger } from '@spillway/runtime';
import { assertMaySee } from './access.ts';
import { answer, question } from './end-of-watch.ts';
import { enter, type LiveSocket, leave } from './live-socket.ts';
import { toJobError } from './problem.ts';
import type { Serve } from './requests.ts';
import type { Sets } from './sets.ts';
import { targetsOrNone } from './targets.ts';
import { watchSet } from './watch-set.ts';

export interface WatchSetup {
  feed: Feed;
  reader: Reader;
  sets: Sets;
  logger: Logger;
  /** Targets that one connection may watch at a time. */
  watchedMax: number;
  /** What may be watched in this namespace. @throws SpillwayError `invalid_request` */
  readTargets: (request: unknown) => WatchTarget[];
  /** Called when the connection has its first answer. */
  onWatched: (socket: LiveSocket) => void;
}

/** Answers `watch` and `unwatch` of one connection. */
export function serveWatches(socket: LiveSocket, serve: Serve, setup: WatchSetup): void {
  serve('watch', async (request) => {
    try {
      return { results: await watchAll(socket, request, setup) };
    } finally {
      setup.onWatched(socket);
    }
  });
  serve('unwatch', (request) => {
    for (const target of targetsOrNone(() => setup.readTargets(request))) leave(socket, roomOf(target));
    return { ok: true };
  });
  socket.once('disconnect', () => {
    for (const { release } of socket.data.watched.values()) release();
    socket.data.watched.clear();
  });
}

async function watchAll(socket: LiveSocket, request: unknown, setup: WatchSetup): Promise<WatchResult[]> {
  const ended = socket.data.access.ended();
  if (ended) throw ended;
  const targets = setup.readTargets(request);
  const { watched } = socket.data;
  const fresh = new Set(targets.map(roomOf).filter((room) => !watched.has(room)));
  if (watched.size + fresh.size > setup.watchedMax) {
    throw new SpillwayError(
      'invalid_request',
      `expected at most ${setup.watchedMax} watched targets a connection, got ${watched.size + fresh.size}`,
    );
  }
  return Promise.all(targets.map((target) => watch(socket, target, setup)));
}

async function watch(socket: LiveSocket, target: WatchTarget, setup: WatchSetup): Promise<WatchResult> {
  try {
    if ('job' in target) return await watchJob(socket, target, setup);
    return await watchSet(socket, target, setup.sets);
  } catch (error) {
    leave(socket, roomOf(target));
    const said = { error: toJobError(error, setup.logger) };
    return 'job' in target ? { job: target.job, ...said } : { ...target, ...said };
  }
}

/**
 * Follow the queue and join the room first, look second: what happens in between arrives as events that the snapshot
 * already holds, and the client drops those by their position. The right to the job comes before either: nothing of a
 * job leaves before that is known.
 */
async function watchJob(
  socket: LiveSocket,
  { job, after }: JobTarget,
  { feed, reader }: WatchSetup,
): Promise<JobWatchResult> {
  await assertMaySee(socket.data.access, job, reader);
  const room = jobRoom(job);
  do await enter(socket, room, { job }, () => feed.follow(job));
  while (!question(socket, room) && socket.connected);
  const snapshot = await reader.snapshot(job, after);
  answer(socket, room, snapshot);
  return { job, snapshot };
}

function roomOf(target: WatchTarget): string {
  return 'job' in target ? jobRoom(target.job) : setRoom(target);
}
