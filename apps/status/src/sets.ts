import {
  type Batch,
  comparePositions,
  isFinal,
  type JobEvent,
  type OpsTarget,
  type SetTarget,
  type Snapshot,
  SpillwayError,
  setRoom,
} from '@spillway/contracts';
import type { BriefEvent, Feed } from '@spillway/queue/feed';
import { type Labels, type Members, type Reader, targetsOf } from '@spillway/queue/reader';
import type { Registry } from '@spillway/queue/registry';
import { Aggregates } from './aggregates.ts';
import { AllQueues, QueueFollows } from './queue-follows.ts';
import { SetFrame } from './set-frame.ts';

export type AnySet = SetTarget | OpsTarget;

/** Where what happens in a set is sent to: everybody in its room. */
export interface SetOutlet {
  frame(set: AnySet, events: JobEvent[]): void;
  resync(set: AnySet, why: string): void;
  aggregate(batch: Batch): void;
}

/** Sets of jobs that somebody watches, and what is told about them. It knows rooms and no connections. */
export interface Sets {
  /**
   * Follows the set from now on, for everybody in its room. To be called before the room is joined and the set is read.
   * Resolves with what undoes it (twice is harmless). @throws SpillwayError `unknown_queue`; the reader's while Redis is away.
   */
  follow(set: AnySet): Promise<() => void>;
  /** The first of the set's jobs, and how a batch stands as a whole, for one who has just joined its room. */
  read(set: AnySet): Promise<SetState>;
}

export interface SetState extends Members {
  aggregate?: Batch;
}

/** How long a frame is gathered. Ends wait for it too: what a large room costs follows frames, not events. */
const FRAME_MS = 50;
/** Events in one frame at most: about 100 KB where each is a snapshot. */
const FRAME_MAX = 500;
/** Jobs that the answer to a watch shows. */
const SHOWN_MAX = 100;
/** Jobs that are looked up in one go. */
const LOOKED_UP_MAX = 500;
/** Jobs that wait to be looked up; beyond this more happens than can be told, and that is said. */
const WAITING_MAX = 10_000;
/** Jobs whose labels are remembered, about 200 bytes each. One that was forgotten is looked up again. */
const REMEMBERED_MAX = 20_000;
/** Jobs of a set that are taken as known to everybody in its room; after that all are introduced again. */
const ANNOUNCED_MAX = 10_000;
/** Pause between two times that a room is told to start over because too much happens. */
const RESYNC_EVERY_MS = 5000;
/** Pause before jobs are looked up again when that failed. */
const RETRY_MS = 1000;

interface WatchedSet {
  readonly target: AnySet;
  watchers: number;
  /** Resolves once its queues are followed. */
  opened: Promise<() => void>;
  isOpen: boolean;
  /** Unfinished jobs that everybody in the room has been told of, by their snapshot. */
  readonly announced: Set<string>;
  readonly frame: SetFrame;
  /** When the room was last told to start over because too much happened. */
  resyncedAt: number;
}

/** A job that some room does not know yet, and what happened to it since. */
interface Stranger {
  /** Rooms that are to be told of it. */
  sets: Set<WatchedSet>;
  /** Whether rooms may be missing in `sets`. */
  labelsUnknown: boolean;
  events: JobEvent[];
}

export function createSets(setup: SetsSetup): Sets {
  return new RoomSets(setup);
}

interface SetsSetup {
  feed: Feed;
  reader: Reader;
  registry: Pick<Registry, 'types'>;
  outlet: SetOutlet;
  onError: (error: unknown) => void;
  now?: () => number;
}

/**
 * An event names its job and not the sets that the job is in. New jobs say their labels in their first event; those of
 * others are looked up once and remembered. A room hears of a job by its snapshot (`joined`) before it hears any event of
 * it, so a watcher never gets a change of something that it does not hold.
 */
class RoomSets implements Sets {
  readonly #setup: SetsSetup;
  readonly #now: () => number;
  readonly #sets = new Map<string, WatchedSet>();
  readonly #follows: QueueFollows;
  readonly #all: AllQueues;
  readonly #labels = new Map<string, Labels>();
  readonly #strangers = new Map<string, Stranger>();
  /** Sets with something in their frame. */
  readonly #dirty = new Set<WatchedSet>();
  /** Sets of which something could not be told, until that has been said. */
  readonly #lost = new Set<WatchedSet>();
  /** How many of the sets are held together by a label; only these need to know labels. */
  #labelSets = 0;
  #timer: NodeJS.Timeout | undefined;
  #ticking = false;
  readonly #aggregates: Aggregates;

  constructor(setup: SetsSetup) {
    this.#setup = setup;
    this.#aggregates = new Aggregates({
      read: (batch) => setup.reader.batch(batch),
      tell: (batch) => setup.outlet.aggregate(batch),
      onError: setup.onError,
    });
    this.#now = setup.now ?? Date.now;
    this.#follows = new QueueFollows(setup.feed, {
      onEvents: (queue, events) => this.#take(queue, events),
      onGap: (queue, why) => this.#declareGap(queue, why),
    });
    this.#all = new AllQueues({
      follows: this.#follows,
      registry: setup.registry,
      onNew: (queue) => void this.#introduce(queue).catch(setup.onError),
      onError: setup.onError,
    });
  }

  async follow(target: AnySet): Promise<() => void> {
    const room = setRoom(target);
    const set = this.#sets.get(room) ?? this.#open(room, target);
    set.watchers += 1;
    let held = true;
    const release = () => {
      if (held) this.#release(room, set);
      held = false;
    };
    try {
      await set.opened;
      set.isOpen = true;
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  async read(target: AnySet): Promise<SetState> {
    // Whoever has just come knows none of those that the others have been told of.
    this.#sets.get(setRoom(target))?.announced.clear();
    const { reader } = this.#setup;
    if ('queue' in target) return reader.queued(target.queue, SHOWN_MAX);
    const members = await reader.labelled(target, this.#all.names, SHOWN_MAX);
    // A job that is removed can no longer be asked for its labels.
    for (const { job } of members.jobs) this.#remember(job.id, job);
    if (!('batch' in target)) return members;
    this.#aggregates.repeat(target.batch);
    const aggregate = await reader.batch(target.batch);
    return { ...members, ...(aggregate && { aggregate }) };
  }

  #open(room: string, target: AnySet): WatchedSet {
    const set: WatchedSet = {
      target,
      watchers: 0,
      opened: 'queue' in target ? this.#holdQueue(target.queue) : this.#all.hold(),
      isOpen: false,
      announced: new Set(),
      frame: new SetFrame(),
      resyncedAt: Number.NEGATIVE_INFINITY,
    };
    this.#sets.set(room, set);
    if (!('queue' in target)) this.#labelSets += 1;
    if ('batch' in target) this.#aggregates.add(target.batch);
    return set;
  }

  async #holdQueue(queue: string): Promise<() => void> {
    const types = await this.#setup.registry.types();
    if (types.some((type) => type.queue === queue)) return this.#follows.hold(queue);
    throw new SpillwayError('unknown_queue', `expected a queue that workers serve, got ${JSON.stringify(queue)}`);
  }

  #release(room: string, set: WatchedSet): void {
    set.watchers -= 1;
    if (set.watchers > 0) return;
    this.#sets.delete(room);
    this.#dirty.delete(set);
    this.#lost.delete(set);
    for (const { sets } of this.#strangers.values()) sets.delete(set);
    if (!('queue' in set.target)) this.#labelSets -= 1;
    if ('batch' in set.target) this.#aggregates.drop(set.target.batch);
    // What is remembered is kept true by events, which may no longer come.
    if (this.#labelSets === 0) this.#labels.clear();
    set.opened.then(
      (leave) => leave(),
      () => undefined,
    );
  }

  #take(queue: string, events: readonly BriefEvent[]): void {
    const whole = this.#sets.get(setRoom({ queue }));
    for (const event of events) {
      if (whole) this.#tell(whole, event);
      if (this.#labelSets > 0) this.#takeByLabel(event);
    }
    if (this.#strangers.size > WAITING_MAX) this.#giveUp();
    this.#wake();
  }

  #takeByLabel(event: BriefEvent): void {
    if (event.labels) this.#remember(event.job, event.labels);
    const labels = this.#labels.get(event.job);
    if (labels) for (const set of this.#setsWith(labels)) this.#tell(set, event);
    else if (event.change?.kind !== 'removed') this.#stranger(event).labelsUnknown = true;
    if (event.change?.kind === 'removed') this.#labels.delete(event.job);
  }

  *#setsWith(labels: Labels): Iterable<WatchedSet> {
    for (const target of targetsOf(labels)) {
      const set = this.#sets.get(setRoom(target));
      if (set) yield set;
    }
  }

  /** Tells a room of an event, or of its job first. */
  #tell(set: WatchedSet, event: BriefEvent): void {
    if (!set.announced.has(event.job)) {
      this.#stranger(event).sets.add(set);
    } else if (event.change) {
      this.#pushNews(set, toJobEvent(event));
    }
  }

  #stranger(event: BriefEvent): Stranger {
    let stranger = this.#strangers.get(event.job);
    if (!stranger) {
      stranger = { sets: new Set(), labelsUnknown: false, events: [] };
      this.#strangers.set(event.job, stranger);
    }
    // Several rooms may wait for the same job.
    if (event.change && stranger.events.at(-1)?.pos !== event.pos) stranger.events.push(toJobEvent(event));
    return stranger;
  }

  #pushNews(set: WatchedSet, event: JobEvent): void {
    this.#push(set, event);
    if (event.kind === 'removed' || (event.kind === 'state' && isFinal(event.state))) set.announced.delete(event.job);
  }

  #push(set: WatchedSet, event: JobEvent): void {
    set.frame.push(event);
    this.#dirty.add(set);
    if ('batch' in set.target) this.#aggregates.touch(set.target.batch);
  }

  #wake(pauseMs = FRAME_MS): void {
    if (this.#ticking || (this.#dirty.size === 0 && this.#strangers.size === 0 && this.#lost.size === 0)) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#tick();
    }, pauseMs);
  }

  async #tick(): Promise<void> {
    this.#ticking = true;
    let pauseMs = FRAME_MS;
    try {
      this.#sendFrames();
      this.#declareLost();
      await this.#lookUp();
      this.#sendFrames();
    } catch (error) {
      // Who could not be looked up stays and is looked up later.
      pauseMs = RETRY_MS;
      this.#setup.onError(error);
    } finally {
      this.#ticking = false;
      this.#wake(pauseMs);
    }
  }

  #sendFrames(): void {
    for (const set of this.#dirty) {
      const events = set.frame.take();
      for (let from = 0; from < events.length; from += FRAME_MAX)
        this.#setup.outlet.frame(set.target, events.slice(from, from + FRAME_MAX));
    }
    this.#dirty.clear();
  }

  async #lookUp(): Promise<void> {
    const ids = [...this.#strangers.keys()].slice(0, LOOKED_UP_MAX);
    if (ids.length === 0) return;
    const snapshots = await this.#setup.reader.brief(ids);
    const found = new Map(snapshots.map((snapshot) => [snapshot.job.id, snapshot]));
    for (const id of ids) this.#settle(id, found.get(id));
  }

  /** Introduces a job to the rooms that wait for it; what its snapshot holds already is not told again. */
  #settle(id: string, snapshot: Snapshot | undefined): void {
    const stranger = this.#strangers.get(id);
    if (!stranger) return;
    this.#strangers.delete(id);
    if (snapshot && stranger.labelsUnknown && this.#labelSets > 0) {
      this.#remember(id, snapshot.job);
      for (const set of this.#setsWith(snapshot.job)) stranger.sets.add(set);
    }
    // Of a job that is gone only that is told: somebody may hold it from the answer to their watch.
    const news = stranger.events.filter(({ pos, kind }) =>
      snapshot ? comparePositions(pos, snapshot.cursor.pos) > 0 : kind === 'removed',
    );
    for (const set of stranger.sets) {
      if (snapshot) this.#announce(set, snapshot);
      for (const event of news) this.#pushNews(set, event);
    }
  }

  #announce(set: WatchedSet, snapshot: Snapshot): void {
    const { job, cursor } = snapshot;
    this.#push(set, { job: job.id, pos: cursor.pos, at: Number(cursor.pos.split('-')[0]), kind: 'joined', snapshot });
    if (isFinal(job.state)) return;
    if (set.announced.size >= ANNOUNCED_MAX) set.announced.clear();
    set.announced.add(job.id);
  }

  /** The members that a queue had before it was followed. */
  async #introduce(queue: string): Promise<void> {
    for (const set of [...this.#sets.values()]) {
      if (!set.isOpen || 'queue' in set.target) continue;
      const { jobs } = await this.#setup.reader.labelled(set.target, [queue], SHOWN_MAX);
      for (const snapshot of jobs) {
        this.#remember(snapshot.job.id, snapshot.job);
        this.#announce(set, snapshot);
      }
    }
    this.#wake();
  }

  #remember(job: string, labels: Labels): void {
    if (this.#labelSets === 0) return;
    if (this.#labels.size >= REMEMBERED_MAX) {
      const [oldest] = this.#labels.keys();
      if (oldest !== undefined) this.#labels.delete(oldest);
    }
    const { tags, batch, tenant } = labels;
    this.#labels.set(job, { tags, batch, tenant });
  }

  #declareGap(queue: string, why: string): void {
    this.#sendFrames();
    for (const { target } of this.#sets.values())
      if (!('queue' in target) || target.queue === queue) this.#setup.outlet.resync(target, why);
  }

  /** More jobs come than can be looked up: what waits is dropped, and every room has to start over. */
  #giveUp(): void {
    this.#strangers.clear();
    for (const set of this.#sets.values()) this.#lost.add(set);
  }

  #declareLost(): void {
    const now = this.#now();
    for (const set of this.#lost) {
      if (now - set.resyncedAt < RESYNC_EVERY_MS) continue;
      set.resyncedAt = now;
      this.#lost.delete(set);
      this.#setup.outlet.resync(set.target, 'more jobs came than could be told');
    }
  }
}

function toJobEvent({ job, pos, at, change }: BriefEvent): JobEvent {
  if (!change) throw new Error(`expected an event that changes its job, got one of ${job} that only names it`);
  return { job, pos, at, ...change };
}
