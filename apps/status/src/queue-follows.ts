import type { Feed, QueueListener } from '@spillway/queue/feed';
import type { Registry } from '@spillway/queue/registry';

/** How often new queues are looked for while somebody watches a set that spans all of them. */
const LOOK_MS = 2000;

interface Follow {
  holders: number;
  opened: Promise<() => void>;
}

/** Whole queues that this process follows for its sets: each once, however many sets need it. */
export class QueueFollows {
  readonly #feed: Feed;
  readonly #listener: QueueListener;
  readonly #follows = new Map<string, Follow>();

  constructor(feed: Feed, listener: QueueListener) {
    this.#feed = feed;
    this.#listener = listener;
  }

  /** Resolves once the queue is followed, with what lets go of it (twice is harmless). @throws as the feed does */
  async hold(queue: string): Promise<() => void> {
    const follow = this.#follows.get(queue) ?? this.#start(queue);
    follow.holders += 1;
    let held = true;
    const release = () => {
      if (held) this.#release(queue, follow);
      held = false;
    };
    try {
      await follow.opened;
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  #start(queue: string): Follow {
    const follow: Follow = { holders: 0, opened: this.#feed.followQueue(queue, this.#listener) };
    this.#follows.set(queue, follow);
    return follow;
  }

  #release(queue: string, follow: Follow): void {
    follow.holders -= 1;
    if (follow.holders > 0) return;
    if (this.#follows.get(queue) === follow) this.#follows.delete(queue);
    // One that never opened has nothing to let go of.
    follow.opened.then(
      (leave) => leave(),
      () => undefined,
    );
  }
}

/** Every queue that workers have registered, followed while somebody holds it. */
export class AllQueues {
  readonly #follows: QueueFollows;
  readonly #registry: Pick<Registry, 'types'>;
  readonly #onNew: (queue: string) => void;
  readonly #onError: (error: unknown) => void;
  readonly #releases = new Map<string, () => void>();
  #holders = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(setup: {
    follows: QueueFollows;
    registry: Pick<Registry, 'types'>;
    /** Called for each queue once it is followed; what happened in it before may have been missed. */
    onNew: (queue: string) => void;
    onError: (error: unknown) => void;
  }) {
    this.#follows = setup.follows;
    this.#registry = setup.registry;
    this.#onNew = setup.onNew;
    this.#onError = setup.onError;
  }

  /** The queues that are followed. */
  get names(): readonly string[] {
    return [...this.#releases.keys()];
  }

  /** Resolves once all queues that are known now are followed, with what lets go of them (twice is harmless). */
  async hold(): Promise<() => void> {
    this.#holders += 1;
    let held = true;
    const release = () => {
      if (held) this.#release();
      held = false;
    };
    try {
      await this.#look();
      // Unreferenced: it keeps no process alive that has nothing else to do.
      this.#timer ??= setInterval(() => this.#look().catch(this.#onError), LOOK_MS).unref();
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  #release(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const release of this.#releases.values()) release();
    this.#releases.clear();
  }

  #look(): Promise<void> {
    this.#looking ??= this.#followNew().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #followNew(): Promise<void> {
    const types = await this.#registry.types();
    const fresh = new Set(types.map(({ queue }) => queue).filter((queue) => !this.#releases.has(queue)));
    await Promise.all(
      [...fresh].map(async (queue) => {
        const release = await this.#follows.hold(queue);
        // Everybody may have gone meanwhile.
        if (this.#holders === 0) return release();
        this.#releases.set(queue, release);
        this.#onNew(queue);
      }),
    );
  }
}
