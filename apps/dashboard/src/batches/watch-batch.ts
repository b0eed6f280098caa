import { ApiError, type Batch, type Client } from '@spillway/client';
import type { JobList } from '@spillway/contracts';
import { useEffect, useState } from 'preact/hooks';

/** The batch that is looked at closely. */
export type OpenedBatch = { kind: 'loading' } | { kind: 'shown'; batch: Batch } | { kind: 'missing'; why: string };

/** Follows a batch live: its figures change at most four times a second, however many jobs it has. */
export function useBatch(client: Client, id: string, onDenied: () => void): OpenedBatch {
  const [opened, setOpened] = useState<OpenedBatch>({ kind: 'loading' });
  useEffect(() => {
    let isOver = false;
    const lost = (error: unknown) => {
      if (isOver) return;
      if (error instanceof ApiError && error.status === 401) return onDenied();
      setOpened({ kind: 'missing', why: error instanceof Error ? error.message : String(error) });
    };
    const show = (batch: Batch) => setOpened((now) => (isSame(now, batch) ? now : { kind: 'shown', batch }));
    const watch = client.watchAll({ batch: id });
    watch.onChange(() => watch.aggregate && show(watch.aggregate));
    watch.ended.catch(lost);
    // Live, a batch that nobody made is an empty set; over HTTP it is not found.
    client.batches.get(id).then((batch) => !isOver && !watch.aggregate && show(batch), lost);
    return () => {
      isOver = true;
      watch.close();
    };
  }, [client, id]);
  return opened;
}

/** Each event of a job tells the same figures again. */
function isSame(opened: OpenedBatch, batch: Batch): boolean {
  return opened.kind === 'shown' && opened.batch === batch;
}

/** The failed jobs, newest end first, read again as often as their number changes. */
export function useFailures(client: Client, { id, failed }: Batch, limit: number): JobList {
  const [list, setList] = useState<JobList>({ jobs: [] });
  useEffect(() => {
    if (failed === 0) return setList({ jobs: [] });
    let isOver = false;
    // A list that cannot be read now is read with the next failure; the figures tell that there is one.
    client.batches.failures(id, { limit }).then(
      (found) => !isOver && setList(found),
      () => undefined,
    );
    return () => {
      isOver = true;
    };
  }, [client, id, failed, limit]);
  return list;
}
