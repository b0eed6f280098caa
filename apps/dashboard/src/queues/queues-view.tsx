import type { Client } from '@spillway/client';
import type { Board, BoardView } from '../board.ts';
import { useNow } from '../hooks.ts';
import type { Go } from '../link.tsx';
import { QueueCard } from './queue-card.tsx';
import { useSystem } from './read-system.ts';
import { ScheduleList } from './schedule-list.tsx';

interface QueuesViewProps {
  client: Client;
  board: Board;
  view: BoardView;
  onGo: Go;
  onDenied: () => void;
}

/** For the person who operates it: every queue, and every schedule. */
export function QueuesView({ client, board, view: { queues }, onGo, onDenied }: QueuesViewProps) {
  const system = useSystem(client, onDenied);
  const now = useNow(true);
  return (
    <main class="system">
      <section aria-labelledby="queues-heading">
        <h2 id="queues-heading">Queues</h2>
        {queues?.length === 0 && (
          <div class="empty">
            <p>No queues yet.</p>
            <p class="quiet">Queues appear here by themselves as soon as a worker starts.</p>
          </div>
        )}
        <ul class="queues">
          {queues?.map((queue) => (
            <QueueCard
              key={queue.name}
              client={client}
              queue={queue}
              scaling={system?.scaling.get(queue.name)}
              onChanged={() => board.refresh()}
            />
          ))}
        </ul>
      </section>
      <section aria-labelledby="schedules-heading">
        <h2 id="schedules-heading">Schedules</h2>
        {system && <ScheduleList schedules={system.schedules} more={system.more} now={now} onGo={onGo} />}
      </section>
    </main>
  );
}
