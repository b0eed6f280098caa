import {
  applyEvent,
  applySnapshot,
  type ClientToServer,
  type JobEvent,
  type OpsTarget,
  type Overview,
  type ServerToOperator,
  type SetTarget,
  type SetWatchResult,
  type WatchedJob,
  type WatchTarget,
} from '@spillway/contracts';
import { io, type Socket } from 'socket.io-client';
import { connected } from './watcher.ts';

type AnySet = SetTarget | OpsTarget;

/** A bare connection that watches sets and folds what it is told of each, as a foreign client would. */
export interface SetWatcher extends AsyncDisposable {
  readonly socket: Socket<ServerToOperator, ClientToServer>;
  /** Everything that came in frames of sets, in order. */
  readonly told: { set: AnySet; event: JobEvent }[];
  readonly resyncs: WatchTarget[];
  readonly overviews: Overview[];
  /** Watches the set and folds the answer and what was told meanwhile. */
  watch(set: AnySet): Promise<SetWatchResult>;
  /** The jobs of a watched set as they are known now, by id. */
  jobs(set: AnySet): Map<string, WatchedJob>;
}

/** Resolves once connected; rejects with the server's refusal. */
export async function connectToSets(
  url: string,
  { namespace = '/jobs', token }: { namespace?: '/jobs' | '/ops'; token?: string } = {},
): Promise<SetWatcher> {
  const socket: SetWatcher['socket'] = io(`${url}${namespace}`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    auth: { token },
  });
  const told: SetWatcher['told'] = [];
  const resyncs: WatchTarget[] = [];
  const overviews: Overview[] = [];
  const held = new Map<string, Map<string, WatchedJob>>();
  socket.on('events', (frame, set) => {
    if (!set) return;
    for (const event of frame) {
      told.push({ set, event });
      fold(held.get(JSON.stringify(set)), event);
    }
  });
  socket.on('resync', ({ targets }) => resyncs.push(...targets));
  socket.on('overview', (overview) => overviews.push(overview));
  await connected(socket);
  return {
    socket,
    told,
    resyncs,
    overviews,
    async watch(set) {
      const before = told.length;
      const reply = await socket.emitWithAck('watch', { targets: [set] });
      if ('error' in reply) throw new Error(reply.error.message);
      const result = reply.results[0] as SetWatchResult;
      if ('error' in result) return result;
      const jobs = new Map(result.jobs.map((snapshot) => [snapshot.job.id, applySnapshot(undefined, snapshot)]));
      held.set(JSON.stringify(set), jobs);
      // What was told while the answer was under way was not folded: nothing was held yet.
      for (const { set: of, event } of told.slice(before))
        if (JSON.stringify(of) === JSON.stringify(set)) fold(jobs, event);
      return result;
    },
    jobs: (set) => held.get(JSON.stringify(set)) ?? new Map(),
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}

function fold(jobs: Map<string, WatchedJob> | undefined, event: JobEvent): void {
  const known = jobs?.get(event.job);
  if (known) jobs?.set(event.job, applyEvent(known, event));
  else if (event.kind === 'joined') jobs?.set(event.job, applySnapshot(undefined, event.snapshot));
}
