import type { ControlReply, JobState, LogLine, OutputChunk, Progress, WatchedJob } from '@spillway/contracts';
import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { Client } from './client.ts';
import type { JobWatch } from './job-watch.ts';
import type { ConnectionState } from './live.ts';

/** A job as a component draws it. Everything but `connection` is undefined or empty before the first answer. */
export interface JobView {
  job: WatchedJob['job'] | undefined;
  state: JobState | undefined;
  progress: Progress | undefined;
  log: readonly LogLine[];
  output: readonly OutputChunk[];
  /** Why it cannot be watched (any longer). A job that failed has its error in `job.error`. */
  error: Error | undefined;
  connection: ConnectionState;
}

export interface UseJob extends JobView {
  /**
   * Cancels the job, for a reason where that is a text: a click's event, of `onClick={cancel}`, is none. Rejects where there
   * is none to cancel, and with ApiError where the server refuses.
   */
  cancel(reason?: unknown): Promise<ControlReply>;
}

export interface UseJobOptions {
  /** The token of this job, e.g. from the submit's reply, where the client has none of its own. */
  token?: string | undefined;
}

/**
 * Follows a job while the component is mounted; nothing where `id` is undefined. Each change of what it returns is one
 * drawing. It can be used by any number of components at a time: what is watched twice is asked for once.
 */
export function useJob(client: Client, id: string | undefined, options: UseJobOptions = {}): UseJob {
  const { token } = options;
  const followed = useMemo(() => followJob(client, id, token), [client, id, token]);
  const view = useSyncExternalStore(followed.subscribe, followed.view, followed.emptyView);
  const cancel = useCallback(
    (reason?: unknown) => followed.cancel(typeof reason === 'string' ? reason : undefined),
    [followed],
  );
  return { ...view, cancel };
}

const EMPTY: JobView = {
  job: undefined,
  state: undefined,
  progress: undefined,
  log: [],
  output: [],
  error: undefined,
  connection: 'idle',
};

interface FollowedJob {
  subscribe(listener: () => void): () => void;
  view(): JobView;
  /** What is drawn on a server, which watches nothing. */
  emptyView(): JobView;
  cancel(reason: string | undefined): Promise<ControlReply>;
}

/** Watches from the first subscriber to the last. */
function followJob(client: Client, id: string | undefined, token: string | undefined): FollowedJob {
  const listeners = new Set<() => void>();
  let view = EMPTY;
  let watch: JobWatch | undefined;
  let leave = () => {};
  const show = (part: Partial<JobView>) => {
    view = { ...view, ...part };
    for (const listener of [...listeners]) listener();
  };
  const start = () => {
    if (id === undefined || watch) return;
    const started = client.watch(id, { token });
    watch = started;
    const quiet = started.connection.onChange((connection) => show({ connection }));
    started.onChange((held) => show(viewOf(held)));
    started.done.catch((error: Error) => {
      if (watch === started) show({ error });
    });
    leave = () => {
      watch = undefined;
      quiet();
      started.close();
    };
  };
  return {
    subscribe(listener) {
      listeners.add(listener);
      start();
      return () => {
        listeners.delete(listener);
        // In StrictMode React leaves and comes back at once: that is no reason to end one watch and begin another.
        setTimeout(() => {
          if (listeners.size === 0) leave();
        });
      };
    },
    view: () => view,
    emptyView: () => EMPTY,
    cancel(reason) {
      if (id === undefined) return Promise.reject(new Error('Expected a job to cancel, got none'));
      return watch ? watch.cancel(reason) : client.command(id, 'cancel', { token, reason });
    },
  };
}

function viewOf({ job, log, output }: WatchedJob): Partial<JobView> {
  return { job, state: job.state, progress: job.progress, log, output, error: undefined };
}
