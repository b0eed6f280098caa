import type { Reader } from '@spillway/queue/reader';
import type { Registry } from '@spillway/queue/registry';
import type { Logger } from '@spillway/runtime';
import type { LiveNamespace } from './live-socket.ts';
import { OverviewWatch } from './overview.ts';

/** Tells operators how queues and workers stand: everybody who is connected, on connect and when it changes. */
export function serveOverview(
  ops: LiveNamespace,
  { reader, registry, logger }: { reader: Reader; registry: Registry; logger: Logger },
): void {
  const overview = new OverviewWatch({
    reader,
    registry,
    isHeard: () => ops.sockets.size > 0,
    tell: (latest) => ops.emit('overview', latest),
    onError: (err) => logger.warn({ err }, 'the overview could not be read'),
  });
  ops.on('connection', (socket) => {
    const latest = overview.join();
    if (latest) socket.emit('overview', latest);
  });
}
