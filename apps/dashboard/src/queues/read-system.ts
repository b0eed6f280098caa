import { ApiError, type Client, type QueueScaling, type Schedule } from '@spillway/client';
import { useEffect, useState } from 'preact/hooks';

/** What is measured of the queues, by name, and what submits jobs by the clock. */
export interface SystemView {
  scaling: ReadonlyMap<string, QueueScaling>;
  schedules: readonly Schedule[];
  /** Whether there are more schedules than are shown. */
  more: boolean;
}

const REFRESH_MS = 3_000;
const SCHEDULES_SHOWN = 100;

/** Reads it every few seconds; undefined before the first answer. */
export function useSystem(client: Client, onDenied: () => void): SystemView | undefined {
  const [view, setView] = useState<SystemView | undefined>();
  useEffect(() => {
    let isOver = false;
    const read = async () => {
      if (document.visibilityState === 'hidden') return;
      const [{ queues }, { schedules, next }] = await Promise.all([
        client.scaling(),
        client.schedules({ limit: SCHEDULES_SHOWN }),
      ]);
      const scaling = new Map(queues.map((queue) => [queue.name, queue]));
      if (!isOver) setView({ scaling, schedules, more: next !== undefined });
    };
    const attempt = () =>
      void read().catch((error: unknown) => {
        // Everything else is shown by the connection's state, and tried again.
        if (!isOver && error instanceof ApiError && error.status === 401) onDenied();
      });
    attempt();
    const timer = setInterval(attempt, REFRESH_MS);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [client]);
  return view;
}
