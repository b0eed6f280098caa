import { comparePositions, isFinal, type JobEvent, type Snapshot } from '@spillway/contracts';
import { type LiveSocket, leave } from './live-socket.ts';

/**
 * How far one watch of a job has been told of it. A watch ends with its job: the client folds the final state and is done,
 * and the server leaves the room by itself. Where the client would go on, because what it folds last is no final state
 * (the job was started again), it is not left.
 */
export interface Told {
  /** Questions that are not answered yet: until then it is open what the client will hold. */
  questions: number;
  /** The position of its latest snapshot. */
  pos: string;
  /** The last change of state that it was sent. */
  latest: { pos: string; isEnd: boolean } | undefined;
}

/** To be called before a snapshot is read for a client. Says whether it is in the job's room: the job may just have ended. */
export function question(socket: LiveSocket, room: string): boolean {
  const watch = socket.data.watched.get(room);
  if (!watch) return false;
  watch.told ??= { questions: 0, pos: '0-0', latest: undefined };
  watch.told.questions += 1;
  return true;
}

/** To be called once for each question: with the snapshot that answers it, before that is sent. */
export function answer(socket: LiveSocket, room: string, { job, cursor }: Snapshot): void {
  const told = socket.data.watched.get(room)?.told;
  if (!told) return;
  told.questions -= 1;
  if (comparePositions(cursor.pos, told.pos) >= 0) told.pos = cursor.pos;
  const isNewer = told.latest !== undefined && comparePositions(told.latest.pos, cursor.pos) > 0;
  if (told.questions === 0 && (isNewer ? told.latest?.isEnd : isFinal(job.state))) leave(socket, room);
}

/** To be called when a frame was sent to the sockets of a job's room. */
export function frameSent(sockets: Iterable<LiveSocket>, room: string, frame: readonly JobEvent[]): void {
  const last = frame.findLast(({ kind }) => kind === 'state' || kind === 'removed');
  if (!last) return;
  const latest = { pos: last.pos, isEnd: isEnd(last) };
  for (const socket of [...sockets]) {
    const told = socket.data.watched.get(room)?.told;
    if (!told) continue;
    told.latest = latest;
    if (latest.isEnd && told.questions === 0 && comparePositions(latest.pos, told.pos) > 0) leave(socket, room);
  }
}

/** Whether nothing follows that belongs to this run of the job. Pure. */
export function isEnd(event: JobEvent): boolean {
  return event.kind === 'removed' || (event.kind === 'state' && isFinal(event.state));
}
