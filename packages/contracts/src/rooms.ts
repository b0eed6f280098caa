/**
 * Socket.IO room names come from here only. The prefix keeps rooms apart from each other and from the room that Socket.IO
 * makes for each socket id, so a client that could choose an id could not listen in.
 */
export function jobRoom(id: string): string {
  return `job:${id}`;
}
