import { watch } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** An editor that saves several files, or one file in several steps, makes one change. */
const SETTLE_MS = 150;

/**
 * Yields after each burst of file changes below the folders, until the signal aborts. What changes while a yield is worked on is yielded next.
 * @param {string[]} folders
 * @param {AbortSignal} signal
 */
export async function* changesIn(folders, signal) {
  let changes = 0;
  for (const folder of folders) {
    watch(path.resolve(folder), { recursive: true, signal }, () => {
      changes++;
    });
  }
  for (let seen = 0; !signal.aborted; ) {
    await sleep(SETTLE_MS, undefined, { signal }).catch(() => {});
    if (changes === seen) continue;
    seen = changes;
    yield;
  }
}
