import type { Client, Job } from '@spillway/client';
import { Action, Actions, useAct } from '../action.tsx';
import type { Board } from '../board.ts';

interface JobActionsProps {
  client: Client;
  board: Board;
  job: Job;
  onReuse: (job: Job) => void;
}

/** What can be done with a job in its state. */
export function JobActions({ client, board, job, onReuse }: JobActionsProps) {
  const act = useAct();
  const cancel = () => act.run(() => client.cancel(job.id));
  const retry = () => act.run(async () => board.reopen((await client.retry(job.id)).job));
  const remove = () => act.run(() => client.remove(job.id).then(() => board.forget(job.id)));
  const ended = job.finishedAt !== undefined;
  const open = !ended && !job.cancel;
  const again = ['failed', 'cancelled'].includes(job.state);
  return (
    <Actions act={act}>
      {open && <Action name="Cancel" act={act} onClick={cancel} />}
      {again && <Action name="Retry" act={act} onClick={retry} />}
      {job.input !== undefined && <Action name="Copy to form" act={act} onClick={() => onReuse(job)} />}
      {ended && <Action name="Delete" act={act} onClick={remove} />}
    </Actions>
  );
}
