import { SpillwayError, toProblem } from '@spillway/contracts';
import type { LiveNamespace, LiveSocket } from './live-socket.ts';
import type { LiveMetrics } from './metrics.ts';

/** How many connections each caller has in this process, and whether it may have another. */
export interface CallerLimit {
  /** Refuses a connect beyond the limit with `too_many_connections`; to be used after the caller is known. */
  admit: Parameters<LiveNamespace['use']>[0];
  /** Counts a connection until it ends. */
  count(socket: LiveSocket): void;
}

/** `most` 0 is no limit. */
export function createCallerLimit(most: number, metrics: Pick<LiveMetrics, 'refused'>): CallerLimit {
  const counts = new Map<string, number>();
  return {
    admit(socket, next) {
      const has = counts.get(holderOf(socket as LiveSocket)) ?? 0;
      if (most === 0 || has < most) return next();
      metrics.refused.inc({ reason: 'caller' });
      const error = new SpillwayError('too_many_connections', `expected at most ${most} connections, got another one`);
      next(Object.assign(new Error(error.message), { data: toProblem(error) }));
    },
    count(socket) {
      if (most === 0) return;
      const holder = holderOf(socket);
      counts.set(holder, (counts.get(holder) ?? 0) + 1);
      socket.once('disconnect', () => {
        const left = (counts.get(holder) ?? 1) - 1;
        if (left > 0) counts.set(holder, left);
        else counts.delete(holder);
      });
    },
  };
}

/** All browsers of a site may have their tokens from one key, so a token counts for itself. */
function holderOf({ data: { access } }: LiveSocket): string {
  return access.tokenId ?? access.caller;
}
