import type { QueueInfo } from '@spillway/client';
import { formatDuration } from '../format.ts';

/** The limits of a queue in words, e.g. `8 at once`, `100 starts in 1.0 s`; nothing where it has none. Pure. */
export function limitTexts({ concurrency, rate, depth, oldestWaitMs, tenants }: QueueInfo['limits'] = {}): string[] {
  const texts: (string | false | undefined)[] = [
    concurrency === undefined ? undefined : `${count(concurrency)} at once`,
    rate && `${count(rate.max)} starts in ${formatDuration(rate.perMs)}`,
    depth && `${count(depth.max)} waiting, then ${depth.policy ?? 'reject'}`,
    oldestWaitMs && `${formatDuration(oldestWaitMs.max)} of waiting, then ${oldestWaitMs.policy ?? 'reject'}`,
    !!tenants?.depth && `${count(tenants.depth)} waiting a tenant`,
    !!tenants?.oldestWaitMs && `${formatDuration(tenants.oldestWaitMs)} of waiting a tenant`,
  ];
  return texts.filter((text) => typeof text === 'string');
}

function count(number: number): string {
  return number.toLocaleString('en');
}
