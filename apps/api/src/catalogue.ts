import { type JobType, SpillwayError } from '@spillway/contracts';
import type { Registry } from '@spillway/queue/registry';
import { compileSchema, type Validate } from '@spillway/runtime';

/** A type that can be submitted, its input's validator compiled. */
export interface CatalogueEntry {
  type: JobType;
  checkInput: Validate;
}

/** The job types that workers have registered, as api last saw them. */
export interface Catalogue {
  /** @throws SpillwayError `unknown_type`; looks into Redis once more before it does. */
  find(type: string): Promise<CatalogueEntry>;
  /** Sorted by name. */
  types(): Promise<JobType[]>;
  /** Queues that some type is on, sorted. */
  queues(): Promise<string[]>;
  /** @throws SpillwayError `unknown_queue` */
  assertQueue(queue: string): Promise<void>;
}

/** A type that a starting worker registers, or changes, is seen within this time. */
const FRESH_MS = 1000;

/** Types that a message names; GET /v1/types has them all. */
const TYPES_SHOWN = 50;

export function createCatalogue(
  registry: Registry,
  onError: (error: Error) => void,
  now: () => number = Date.now,
): Catalogue {
  let entries = new Map<string, CatalogueEntry & { text: string }>();
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  /** A schema that cannot be compiled takes its own type off the list and no other. */
  function compile(type: JobType, text: string): (CatalogueEntry & { text: string }) | undefined {
    try {
      return { type, text, checkInput: compileSchema(type.input) };
    } catch (error) {
      onError(new Error(`job type ${type.type} cannot be offered: its input schema is not valid`, { cause: error }));
      return undefined;
    }
  }

  async function read(): Promise<void> {
    const types = await registry.types();
    const next: typeof entries = new Map();
    for (const type of types) {
      const text = JSON.stringify(type);
      const known = entries.get(type.type);
      // Compiling costs milliseconds, so a type that did not change keeps its validator.
      const entry = known?.text === text ? known : compile(type, text);
      if (entry) next.set(type.type, entry);
    }
    entries = next;
    readAt = now();
  }

  function refresh(): Promise<void> {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  /** What is known is served while it is looked up again, so that a submit never waits for it. */
  function refreshBehind(): void {
    if (now() - readAt > FRESH_MS) refresh().catch(() => undefined);
  }

  return {
    async find(name) {
      const known = entries.get(name);
      if (known) {
        refreshBehind();
        return known;
      }
      await refresh();
      const found = entries.get(name);
      if (found) return found;
      const types = [...entries.keys()];
      const known_ =
        types.length > 0
          ? `one of the registered types (${types.slice(0, TYPES_SHOWN).join(', ')}${types.length > TYPES_SHOWN ? ', …' : ''})`
          : 'a registered type (none is: no worker has started yet)';
      throw new SpillwayError('unknown_type', `expected ${known_}, got ${JSON.stringify(name)}`);
    },
    async types() {
      await refresh();
      return [...entries.values()].map(({ type }) => type);
    },
    async queues() {
      await refresh();
      return [...new Set([...entries.values()].map(({ type }) => type.queue))].sort();
    },
    async assertQueue(queue) {
      const queues = await this.queues();
      if (!queues.includes(queue))
        throw new SpillwayError(
          'unknown_queue',
          `expected one of ${queues.join(', ') || 'no queues yet'}, got ${JSON.stringify(queue)}`,
        );
    },
  };
}
