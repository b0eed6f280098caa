import { on } from 'node:events';

/**
 * Resolves with the first message in which a process says that it is ready.
 * @param {import('node:child_process').ChildProcess} child
 * @param {AbortSignal} signal
 */
export async function untilReady(child, signal) {
  for await (const [message] of on(child, 'message', { signal })) {
    if (message?.kind === 'ready') return;
  }
}
