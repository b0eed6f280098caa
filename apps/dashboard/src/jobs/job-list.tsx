import { fractionOf, type Job } from '@spillway/client';
import { useState } from 'preact/hooks';
import type { Board, BoardView, Filter } from '../board.ts';
import { formatAge, formatPercent } from '../format.ts';
import { useNow } from '../hooks.ts';
import { ProgressBar } from './progress-bar.tsx';
import { StateMark } from './state-mark.tsx';
import { timingOf } from './timing.ts';

interface JobListProps {
  board: Board;
  view: BoardView;
  onOpen: (id: string) => void;
}

const FILTERS: readonly Filter[] = ['all', 'waiting', 'delayed', 'active', 'completed', 'failed', 'cancelled'];

export function JobList({ board, view, onOpen }: JobListProps) {
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
            <Row key={job.id} job={job} now={now} open={job.id === view.opened?.id} onOpen={onOpen} />
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

interface RowProps {
  job: Job;
  now: number;
  open: boolean;
  onOpen: (id: string) => void;
}

function Row({ job, now, open, onOpen }: RowProps) {
  const follow = (event: MouseEvent) => {
    // A new tab stays a new tab.
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    onOpen(job.id);
  };
  const fraction = fractionOf(job);
  return (
    <li class="row">
      <a class="row__link" href={`?job=${encodeURIComponent(job.id)}`} aria-current={open} onClick={follow}>
        <StateMark state={job.state} />
        <span class="row__type">
          {job.type}
          <span class="visually-hidden">, {job.state}</span>
        </span>
        <span class="row__message">{summaryOf(job) ?? <code>{job.id.slice(-8)}</code>}</span>
        <span class="row__progress">
          {job.state === 'active' ? (
            <ProgressBar job={job} label={`Progress of ${job.type}`} size="thin" />
          ) : (
            timingOf(job, now)
          )}
        </span>
        <span class="row__percent">
          {job.state === 'active' && fraction !== undefined ? formatPercent(fraction) : ''}
        </span>
        <time class="row__age" datetime={job.createdAt} title={new Date(job.createdAt).toLocaleString()}>
          {formatAge(now - Date.parse(job.createdAt))}
        </time>
      </a>
    </li>
  );
}

/** What there is to say of a job on its line; nothing of one that simply went well. */
function summaryOf({ state, error, progress, attempt, attempts }: Job): string | undefined {
  if (error) return error.message;
  if (state === 'completed') return undefined;
  if (state === 'active' || attempt > 0) return progress?.message ?? `attempt ${attempt} of ${attempts}`;
  return state;
}
