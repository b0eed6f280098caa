import { Socket } from 'node:net';
import { PARENT_FD } from './orphan.ts';

new Socket({ fd: PARENT_FD }).resume().on('close', endGroup).on('error', endGroup);

/** What the handler has started dies with it: a process isolate leads a group of its own. */
function endGroup(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    // No groups on this platform.
    process.kill(process.pid, 'SIGKILL');
  }
}
