import { fractionOf, type Job } from '@spillway/client';
import { formatAge, formatPercent } from '../format.ts';
import { type Go, Link } from '../link.tsx';
import { ProgressBar } from './progress-bar.tsx';
import { StateMark } from './state-mark.tsx';
import { timingOf } from './timing.ts';

interface JobRowProps {
  job: Job;
  now: number;
  open: boolean;
  onGo: Go;
}

/** A job on one line. */
export function JobRow({ job, now, open, onGo }: JobRowProps) {
  const fraction = fractionOf(job);
  return (
    <li class="row">
      <Link class="row__link" to={{ kind: 'job', id: job.id }} onGo={onGo} aria-current={open}>
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
      </Link>
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
