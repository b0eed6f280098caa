import type { Client, Job } from '@spillway/client';
import { useState } from 'preact/hooks';
import type { Board } from '../board.ts';

interface JobActionsProps {
  client: Client;
  board: Board;
  job: Job;
  onReuse: (job: Job) => void;
}

/** What can be done with a job in its state. A refusal is shown where it was asked for. */
export function JobActions({ client, board, job, onReuse }: JobActionsProps) {
  const [trouble, setTrouble] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const run = (act: () => Promise<void>) => {
    setBusy(true);
    setTrouble(undefined);
    act()
      .catch((error: unknown) => setTrouble(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(false));
  };
  const cancel = () =>
    run(async () => {
      await client.cancel(job.id);
    });
  const retry = () =>
    run(async () => {
      const { job: again } = await client.retry(job.id);
      board.reopen(again);
    });
  const remove = () =>
    run(async () => {
      await client.remove(job.id);
      board.forget(job.id);
    });
  const ended = job.finishedAt !== undefined;
  const open = !ended && !job.cancel;
  const again = ['failed', 'cancelled'].includes(job.state);
  return (
    <div class="actions">
      {open && <Action name="Cancel" busy={busy} onClick={cancel} />}
      {again && <Action name="Retry" busy={busy} onClick={retry} />}
      {job.input !== undefined && <Action name="Copy to form" busy={busy} onClick={() => onReuse(job)} />}
      {ended && <Action name="Delete" busy={busy} onClick={remove} />}
      <p class="actions__trouble" role="alert">
        {trouble}
      </p>
    </div>
  );
}

function Action({ name, busy, onClick }: { name: string; busy: boolean; onClick: () => void }) {
  return (
    <button class="button" type="button" disabled={busy} onClick={onClick}>
      {name}
    </button>
  );
}
