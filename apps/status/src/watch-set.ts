import { type SetWatchResult, SpillwayError, setRoom } from '@spillway/contracts';
import type { Access } from './access.ts';
import { enter, type LiveSocket } from './live-socket.ts';
import type { AnySet, SetState, Sets } from './sets.ts';

/**
 * Adds a connection to those who are told of a set, and answers with what there is now. As with jobs: follow and join
 * first, look second.
 * @throws SpillwayError `not_found` where the connection may not watch the set, whether there is such a set or not
 */
export async function watchSet(socket: LiveSocket, set: AnySet, sets: Sets): Promise<SetWatchResult> {
  const { access } = socket.data;
  if (!access.mayWatch(set)) {
    throw new SpillwayError('not_found', `expected a set that this connection may watch, got ${JSON.stringify(set)}`);
  }
  await enter(socket, setRoom(set), set, () => sets.follow(set));
  return { ...set, ...visible(await sets.read(set), access) };
}

function visible({ jobs, total, ...rest }: SetState, access: Access): SetState {
  const seen = jobs.filter(({ job }) => access.maySee(job));
  return { jobs: seen, total: total - (jobs.length - seen.length), ...rest };
}
