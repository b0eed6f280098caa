import type { OpsTarget, SetTarget } from './events.ts';

/**
 * Socket.IO room names come from here only. The prefix keeps rooms apart from each other and from the room that Socket.IO
 * makes for each socket id, so a client that could choose an id could not listen in.
 */
export function jobRoom(id: string): string {
  return `job:${id}`;
}

/** The room of a set. Kinds differ before the first colon, so what follows may be any text. */
export function setRoom(set: SetTarget | OpsTarget): string {
  if ('batch' in set) return `batch:${set.batch}`;
  if ('tag' in set) return `tag:${set.tag}`;
  return 'queue' in set ? `queue:${set.queue}` : `tenant:${set.tenant}`;
}
