import type { Overview } from '@spillway/contracts';
import { type Reader, toQueueInfo } from '@spillway/queue/reader';
import type { Registry } from '@spillway/queue/registry';

/** How often is looked, while somebody listens. */
const LOOK_MS = 1000;

export interface OverviewSetup {
  reader: Pick<Reader, 'queue'>;
  registry: Pick<Registry, 'types' | 'workers'>;
  /** Whether anybody listens; when nobody does, looking stops. */
  isHeard: () => boolean;
  tell: (overview: Overview) => void;
  onError: (error: unknown) => void;
}

/** Looks at all queues and workers once a second while somebody listens, and tells what changed. */
export class OverviewWatch {
  readonly #setup: OverviewSetup;
  #running = false;
  #latest: Overview | undefined;

  constructor(setup: OverviewSetup) {
    this.#setup = setup;
  }

  /** To be called for each new listener. Returns what the others were told last; where there are none, the first is told soon. */
  join(): Overview | undefined {
    if (!this.#running) void this.#run();
    return this.#latest;
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#latest = undefined;
    while (this.#setup.isHeard()) {
      await this.#look().catch(this.#setup.onError);
      await pause(LOOK_MS);
    }
    this.#running = false;
  }

  async #look(): Promise<void> {
    const overview = await readOverview(this.#setup);
    if (JSON.stringify(overview) === JSON.stringify(this.#latest)) return;
    this.#latest = overview;
    this.#setup.tell(overview);
  }
}

async function readOverview({ reader, registry }: Pick<OverviewSetup, 'reader' | 'registry'>): Promise<Overview> {
  const [types, workers] = await Promise.all([registry.types(), registry.workers()]);
  const names = [...new Set(types.map(({ queue }) => queue))].sort();
  const queues = await Promise.all(
    names.map(async (name) => toQueueInfo(name, await reader.queue(name), { types, workers })),
  );
  return { queues, workers };
}

/** Does not keep a process alive that has nothing else to do. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
