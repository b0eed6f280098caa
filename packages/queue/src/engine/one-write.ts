import type { Redis } from '@spillway/bullmq';

/**
 * What this turn of the event loop goes on to send on the connection leaves in one write. A write costs as much as the
 * commands in it where nothing else is going on: a system call, and a process that is woken at the other end. Nothing
 * happens without a connection; called again in the same turn it changes nothing.
 */
export function inOneWrite({ stream }: Redis): void {
  if (!stream) return;
  stream.cork();
  setImmediate(() => stream.uncork());
}
