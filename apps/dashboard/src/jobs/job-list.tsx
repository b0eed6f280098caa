import { useState } from 'preact/hooks';
import type { Board, BoardView, Filter } from '../board.ts';
import { useNow } from '../hooks.ts';
import type { Go } from '../link.tsx';
import { JobRow } from './job-row.tsx';

interface JobListProps {
  board: Board;
  view: BoardView;
  onGo: Go;
}

const FILTERS: readonly Filter[] = ['all', 'waiting', 'delayed', 'active', 'completed', 'failed', 'cancelled'];

export function JobList({ board, view, onGo }: JobListProps) {
  const [filter, setFilter] = useState<Filter>('all');
  const now = useNow(true);
  const choose = (next: Filter) => {
    setFilter(next);
    board.show(next);
  };
  return (
    <section class="list-panel" aria-labelledby="jobs-heading">
      <div class="list-panel__head">
        <h2 id="jobs-heading">Jobs</h2>
        <ul class="filters" aria-label="Show">
          {FILTERS.map((name) => (
            <li key={name}>
              <button class="filters__one" type="button" aria-pressed={name === filter} onClick={() => choose(name)}>
                {name}
              </button>
            </li>
          ))}
        </ul>
      </div>
      {view.jobs.length === 0 ? (
        <Empty filter={filter} />
      ) : (
        <ul class="rows">
          {view.jobs.map((job) => (
            <JobRow key={job.id} job={job} now={now} open={job.id === view.opened?.id} onGo={onGo} />
          ))}
        </ul>
      )}
      {view.more && (
        <button class="button button--quiet" type="button" onClick={() => board.showMore()}>
          Show more
        </button>
      )}
    </section>
  );
}

function Empty({ filter }: { filter: Filter }) {
  return (
    <div class="empty">
      <p>{filter === 'all' ? 'No jobs yet.' : `No ${filter} jobs.`}</p>
      {filter === 'all' && <p class="quiet">Submit one here, with the spillway command, or with a POST to /v1/jobs.</p>}
    </div>
  );
}
