import type { JobWatch, WatchedJob } from '@spillway/client';
import type { Session } from './session.ts';

/** How a watch ended: with the job, or by Ctrl-C. */
export type Followed = { end: WatchedJob } | { interrupted: true };

interface Follower {
  show(job: WatchedJob): void;
  note(text: string): void;
}

/** Follows a job to its end, through lost connections, until Ctrl-C. The job must exist. */
export async function follow(session: Session, id: string, follower: Follower): Promise<Followed> {
  // Asked first over HTTP, because a live connection would wait for a server that never comes.
  await session.client.get(id);
  const watch = session.client.watch(id);
  const quiet = tellAboutConnection(session, follower);
  const interrupt = onInterrupt(session, watch);
  try {
    for await (const job of watch) follower.show(job);
    if (interrupt.happened()) return { interrupted: true };
    return { end: await watch.done };
  } finally {
    interrupt.off();
    quiet();
    watch.close();
  }
}

function onInterrupt({ terminal }: Session, watch: JobWatch): { happened(): boolean; off(): void } {
  let happened = false;
  const stop = () => {
    happened = true;
    watch.close();
  };
  terminal.on('SIGINT', stop);
  return { happened: () => happened, off: () => void terminal.off('SIGINT', stop) };
}

function tellAboutConnection({ client }: Session, follower: Follower): () => void {
  let lost = false;
  return client.connection.onChange((state) => {
    if (state === 'reconnecting' && !lost)
      follower.note('the connection is lost; trying to get it back (the job goes on)');
    if (state === 'live' && lost) follower.note('connected again');
    lost = state === 'reconnecting';
  });
}
