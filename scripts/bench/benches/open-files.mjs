import { spawnSync } from 'node:child_process';

/** How many files a process may have open. Node raises its own limit as far as it may, so the hard one counts. */
export function openFilesMax() {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  const limit = Number(stdout);
  // "unlimited", or no shell that knows: the connections themselves will tell.
  return limit > 0 ? limit : Number.POSITIVE_INFINITY;
}
