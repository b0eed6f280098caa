import type { WatchResult, WatchTarget } from '@spillway/contracts';

/** One name for a target, whatever its cursor, and for the answer to it. Names of jobs never equal those of sets. */
export function nameOfTarget(target: WatchTarget | WatchResult): string {
  if ('job' in target) return JSON.stringify({ job: target.job });
  if ('batch' in target) return JSON.stringify({ batch: target.batch });
  if ('tag' in target) return JSON.stringify({ tag: target.tag });
  if ('queue' in target) return JSON.stringify({ queue: target.queue });
  return JSON.stringify({ tenant: target.tenant });
}

export function targetOfName(name: string): WatchTarget {
  return JSON.parse(name) as WatchTarget;
}
