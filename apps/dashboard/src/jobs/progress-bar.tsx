import { fractionOf, type Job } from '@spillway/client';
import { formatPercent } from '../format.ts';

interface ProgressBarProps {
  job: Job;
  label: string;
  size: 'thin' | 'full';
}

/** A bar that is full only when the job is done. Before the first report of a running job it says that it does not know. */
export function ProgressBar({ job, label, size }: ProgressBarProps) {
  const fraction = fractionOf(job);
  const unknown = job.state === 'active' && fraction === undefined;
  return (
    <div
      class={`bar bar--${size} bar--${job.state} ${unknown ? 'bar--unknown' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(!unknown && { 'aria-valuenow': Math.floor((fraction ?? 0) * 100) })}
      aria-valuetext={textOf(job, fraction)}
    >
      {/* An object, not text: a style attribute is refused by the page's policy, properties set one by one are not. */}
      <div class="bar__fill" style={{ '--fraction': String(fraction ?? 0) }} />
    </div>
  );
}

function textOf(job: Job, fraction: number | undefined): string {
  const percent = fraction === undefined ? '' : `${formatPercent(fraction)}, `;
  const message = job.progress?.message;
  return `${percent}${job.state}${message && job.state === 'active' ? `, ${message}` : ''}`;
}
