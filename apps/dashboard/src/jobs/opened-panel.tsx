import { type Client, fractionOf, type Job, type WatchedJob } from '@spillway/client';
import type { ComponentChildren } from 'preact';
import type { Board, OpenedJob } from '../board.ts';
import { formatPercent } from '../format.ts';
import { useNow, useScrolledIntoView, useTitle } from '../hooks.ts';
import { type Go, Link } from '../link.tsx';
import { JobActions } from './job-actions.tsx';
import { LogView } from './log-view.tsx';
import { OutputView } from './output-view.tsx';
import { ProgressBar } from './progress-bar.tsx';
import { StateLabel } from './state-mark.tsx';
import { timingOf } from './timing.ts';
import { ValueView } from './value-view.tsx';

interface OpenedPanelProps {
  client: Client;
  /** Whether pictures need the key to be fetched. */
  authorized: boolean;
  board: Board;
  opened: OpenedJob;
  onGo: Go;
  onReuse: (job: Job) => void;
}

/** One job, looked at closely and live. */
export function OpenedPanel({ client, authorized, board, opened, onGo, onReuse }: OpenedPanelProps) {
  const panel = useScrolledIntoView(opened.kind !== 'loading');
  const onClose = () => onGo({ kind: 'jobs' });
  return (
    <section class="panel opened" ref={panel} aria-label="Opened job" tabIndex={-1}>
      {opened.kind === 'loading' && <p class="quiet">Looking for {opened.id}…</p>}
      {opened.kind === 'missing' && <Missing id={opened.id} why={opened.why} onClose={onClose} />}
      {opened.kind === 'shown' && (
        <>
          <Heading job={opened.watched.job} onGo={onGo} onClose={onClose} />
          <Progress watched={opened.watched} />
          <JobActions client={client} board={board} job={opened.watched.job} onReuse={onReuse} />
          <Parts watched={opened.watched} client={client} authorized={authorized} />
        </>
      )}
    </section>
  );
}

function Missing({ id, why, onClose }: { id: string; why: string; onClose: () => void }) {
  return (
    <div class="notice notice--bad" role="alert">
      <p>
        The job <code>{id}</code> cannot be shown.
      </p>
      <p>{why}</p>
      <button class="button button--quiet" type="button" onClick={onClose}>
        Close
      </button>
    </div>
  );
}

function Heading({ job, onGo, onClose }: { job: Job; onGo: Go; onClose: () => void }) {
  useTitle(titleOf(job));
  return (
    <header class="opened__head">
      <div>
        <h2>{job.type}</h2>
        <p class="opened__id">
          <code>{job.id}</code>
          {job.batch && (
            <Link class="tag" to={{ kind: 'batch', id: job.batch }} title={job.batch} onGo={onGo}>
              its batch
            </Link>
          )}
          {job.tags?.map((tag) => (
            <span key={tag} class="tag">
              {tag}
            </span>
          ))}
        </p>
      </div>
      <button class="button button--quiet button--close" type="button" aria-label="Close this job" onClick={onClose}>
        ×
      </button>
    </header>
  );
}

function titleOf(job: Job): string {
  const fraction = fractionOf(job);
  const progress = job.state === 'active' && fraction !== undefined ? formatPercent(fraction) : job.state;
  return `${progress} · ${job.type}`;
}

function Progress({ watched: { job } }: { watched: WatchedJob }) {
  const now = useNow(job.finishedAt === undefined);
  const fraction = fractionOf(job);
  // A job that ended without a word about its progress has no figure to show.
  const bare = fraction === undefined && job.finishedAt !== undefined;
  return (
    <div class={`stage stage--${job.state} ${bare ? 'stage--bare' : ''}`}>
      {!bare && (
        <p class="stage__percent" aria-hidden="true">
          {fraction === undefined && job.state === 'active' ? '…' : <Percent fraction={fraction ?? 0} />}
        </p>
      )}
      <div class="stage__side">
        <p class="stage__state">
          <span role="status">
            <StateLabel job={job} />
          </span>
          {job.attempt > 0 && job.attempts > 1 && (
            <span>
              attempt {job.attempt} of {job.attempts}
            </span>
          )}
          <span>{timingOf(job, now)}</span>
        </p>
        {!bare && <p class="stage__message">{job.error ? '' : job.progress?.message}</p>}
      </div>
      {!bare && <ProgressBar job={job} label={`Progress of ${job.type}`} size="full" />}
      {job.error && (
        <div class="notice notice--bad">
          <p>{job.error.message}</p>
          <p>
            <code>{job.error.code}</code>
          </p>
        </div>
      )}
    </div>
  );
}

function Percent({ fraction }: { fraction: number }) {
  return (
    <>
      {Math.floor(fraction * 100)}
      <span class="stage__sign">%</span>
    </>
  );
}

interface PartsProps {
  watched: WatchedJob;
  client: Client;
  authorized: boolean;
}

function Parts({ watched: { job, log, output }, client, authorized }: PartsProps) {
  return (
    <div class="parts">
      {output.length > 0 && (
        <Part title="Output" count={output.length}>
          <OutputView chunks={output} client={client} authorized={authorized} />
        </Part>
      )}
      {job.result !== undefined && job.result !== null && (
        <Part title="Result">
          <ValueView value={job.result} />
        </Part>
      )}
      {log.length > 0 && (
        <Part title="Log" count={log.length}>
          <LogView lines={log} />
        </Part>
      )}
      {job.input !== undefined && (
        <Part title="Input">
          <ValueView value={job.input} />
        </Part>
      )}
    </div>
  );
}

interface PartProps {
  title: string;
  count?: number;
  children: ComponentChildren;
}

function Part({ title, count, children }: PartProps) {
  return (
    <section class="part">
      <h3>
        {title} {count !== undefined && <span class="part__count">{count.toLocaleString('en')}</span>}
      </h3>
      {children}
    </section>
  );
}
