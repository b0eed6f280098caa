import { type SetWatchResult, SpillwayError, setRoom } from '@spillway/contracts';
import type { Members } from '@spillway/queue/reader';
import type { Access } from './access.ts';
import type { AnySet, Sets } from './sets.ts';

/** The part of a connection that watching a set needs. */
export interface Member {
  readonly disconnected: boolean;
  readonly data: { access: Access };
  join(room: string): Promise<void> | void;
}

/**
 * Adds a connection to those who are told of a set, and answers with what there is now. As with jobs: follow and join
 * first, look second. `watched` holds by room what lets go of the connection's watches.
 * @throws SpillwayError `not_found` where the connection may not watch the set, whether there is such a set or not
 */
export async function watchSet(
  socket: Member,
  watched: Map<string, () => void>,
  set: AnySet,
  sets: Sets,
): Promise<SetWatchResult> {
  const { access } = socket.data;
  if (!access.mayWatch(set)) {
    throw new SpillwayError('not_found', `expected a set that this connection may watch, got ${JSON.stringify(set)}`);
  }
  if (!watched.has(setRoom(set))) await join(socket, watched, set, sets);
  return { ...set, ...visible(await sets.read(set), access) };
}

async function join(socket: Member, watched: Map<string, () => void>, set: AnySet, sets: Sets): Promise<void> {
  const room = setRoom(set);
  const release = await sets.follow(set);
  // The connection may have gone, or the same set been asked for twice, while its queues were opening.
  if (socket.disconnected || watched.has(room)) return release();
  watched.set(room, release);
  await socket.join(room);
}

function visible({ jobs, total }: Members, access: Access): Members {
  const seen = jobs.filter(({ job }) => access.maySee(job));
  return { jobs: seen, total: total - (jobs.length - seen.length) };
}
