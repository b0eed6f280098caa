import type { Batch, Client } from '@spillway/client';
import { useState } from 'preact/hooks';
import { Action, Actions, useAct } from '../action.tsx';
import { formatDuration, formatPercent } from '../format.ts';
import { useNow, useScrolledIntoView, useTitle } from '../hooks.ts';
import { JobRow } from '../jobs/job-row.tsx';
import { type Go, Link } from '../link.tsx';
import { BatchBar } from './batch-bar.tsx';
import { endedFraction } from './parts.ts';
import { useBatch, useFailures } from './watch-batch.ts';

interface BatchPanelProps {
  client: Client;
  id: string;
  onGo: Go;
  onDenied: () => void;
}

/** One batch, looked at closely and live. */
export function BatchPanel({ client, id, onGo, onDenied }: BatchPanelProps) {
  const opened = useBatch(client, id, onDenied);
  const panel = useScrolledIntoView(opened.kind !== 'loading');
  return (
    <section class="panel opened" ref={panel} aria-label="Opened batch" tabIndex={-1}>
      {opened.kind === 'loading' && <p class="quiet">Looking for {id}…</p>}
      {opened.kind === 'missing' && <Missing id={id} why={opened.why} />}
      {opened.kind === 'shown' && (
        <>
          <Heading batch={opened.batch} onGo={onGo} />
          <Stage batch={opened.batch} onGo={onGo} />
          <BatchActions client={client} batch={opened.batch} />
          <Failures client={client} batch={opened.batch} onGo={onGo} />
        </>
      )}
    </section>
  );
}

function Missing({ id, why }: { id: string; why: string }) {
  return (
    <div class="notice notice--bad" role="alert">
      <p>
        The batch <code>{id}</code> cannot be shown.
      </p>
      <p>{why}</p>
    </div>
  );
}

function Heading({ batch, onGo }: { batch: Batch; onGo: Go }) {
  useTitle(`${batch.finishedAt ? 'ended' : formatPercent(endedFraction(batch))} · batch`);
  return (
    <header class="opened__head">
      <div>
        <h2>Batch of {batch.total.toLocaleString('en')} jobs</h2>
        <p class="opened__id">
          <code>{batch.id}</code>
        </p>
      </div>
      <Link class="button button--quiet button--close" aria-label="Close this batch" to={{ kind: 'jobs' }} onGo={onGo}>
        ×
      </Link>
    </header>
  );
}

function Stage({ batch, onGo }: { batch: Batch; onGo: Go }) {
  const now = useNow(batch.finishedAt === undefined);
  const { createdAt, finishedAt, refused, onComplete } = batch;
  const tookMs = (finishedAt ? Date.parse(finishedAt) : now) - Date.parse(createdAt);
  return (
    <div class="stage">
      <p class="stage__percent" aria-hidden="true">
        {Math.floor(endedFraction(batch) * 100)}
        <span class="stage__sign">%</span>
      </p>
      <div class="stage__side">
        <p class="stage__state">
          <span role="status">{stageOf(batch)}</span>
          <span>{finishedAt ? `took ${formatDuration(tookMs)}` : formatDuration(tookMs)}</span>
          {refused > 0 && <span>{refused.toLocaleString('en')} refused</span>}
        </p>
        <p class="stage__message">
          {onComplete && (
            <>
              then{' '}
              {onComplete.job ? (
                <Link to={{ kind: 'job', id: onComplete.job }} onGo={onGo}>
                  {onComplete.type}
                </Link>
              ) : (
                onComplete.type
              )}
            </>
          )}
        </p>
      </div>
      <BatchBar batch={batch} />
    </div>
  );
}

function stageOf({ sealed, finishedAt, total, open }: Batch): string {
  if (finishedAt) return 'ended';
  const ended = `${(total - open).toLocaleString('en')} of ${total.toLocaleString('en')} ended`;
  return sealed ? ended : `${ended}, more jobs may come`;
}

function BatchActions({ client, batch: { id, open, failed } }: { client: Client; batch: Batch }) {
  const act = useAct();
  const [asking, setAsking] = useState(false);
  const retry = () => act.run(() => client.batches.retryFailed(id));
  const cancel = () => {
    setAsking(false);
    act.run(() => client.batches.cancel(id));
  };
  return (
    <Actions act={act}>
      {failed > 0 && <Action name="Retry failed" act={act} onClick={retry} />}
      {open > 0 && !asking && <Action name="Cancel all" act={act} onClick={() => setAsking(true)} />}
      {open > 0 && asking && (
        <>
          <Action name={`Cancel ${open.toLocaleString('en')} jobs`} tone="bad" act={act} onClick={cancel} />
          <Action name="Let them run" act={act} onClick={() => setAsking(false)} />
        </>
      )}
    </Actions>
  );
}

const FAILURES = 10;
const FAILURES_MAX = 100;

function Failures({ client, batch, onGo }: { client: Client; batch: Batch; onGo: Go }) {
  const [limit, setLimit] = useState(FAILURES);
  const { jobs, next } = useFailures(client, batch, limit);
  const now = useNow(true);
  if (batch.failed === 0 || jobs.length === 0) return null;
  return (
    <section class="part" aria-label="Failures">
      <h3>
        Failures <span class="part__count">{batch.failed.toLocaleString('en')}</span>
      </h3>
      <ul class="rows">
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} now={now} open={false} onGo={onGo} />
        ))}
      </ul>
      {next && limit < FAILURES_MAX && (
        <button class="button button--quiet" type="button" onClick={() => setLimit(FAILURES_MAX)}>
          Show more
        </button>
      )}
    </section>
  );
}
