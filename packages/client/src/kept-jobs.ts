import type { WatchedJob } from '@spillway/contracts';

/** The part of `Storage` that is used; `length` and `key` let old entries be found that nobody asks for any more. */
export interface StorageLike {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
  readonly length?: number;
  key?(index: number): string | null;
}

/** What is held of watched jobs, kept across a reload of the page. Nothing here throws: it is a help and no more. */
export interface KeptJobs {
  read(id: string): WatchedJob | undefined;
  /** Written soon, and at once when the page goes. */
  write(job: WatchedJob): void;
  remove(id: string): void;
  /** Writes what is waiting to be written. */
  flush(): void;
}

/** Characters of one entry; browsers give a page about 5 million for everything. */
const ENTRY_MAX = 256 * 1024;
const KEEP_MS = 24 * 60 * 60 * 1000;
/** A job that moves ten times a second is written twice a second. */
const WRITE_AFTER_MS = 500;

/** @param space tells apart what pages of one origin keep of several servers */
export function keepJobs(storage: StorageLike, space: string): KeptJobs {
  const prefix = `spillway ${space} `;
  const waiting = new Map<string, WatchedJob>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    for (const [id, job] of waiting) {
      const text = entryOf(job);
      attempt(() => (text === undefined ? storage.removeItem(prefix + id) : storage.setItem(prefix + id, text)));
    }
    waiting.clear();
  };
  sweep(storage, prefix);
  globalThis.addEventListener?.('pagehide', flush);
  return {
    read: (id) =>
      waiting.get(id) ??
      parseEntry(
        attempt(() => storage.getItem(prefix + id)),
        id,
      ),
    write(job) {
      waiting.set(job.job.id, job);
      timer ??= setTimeout(flush, WRITE_AFTER_MS);
    },
    remove(id) {
      waiting.delete(id);
      attempt(() => storage.removeItem(prefix + id));
    },
    flush,
  };
}

/** The tab's own storage; undefined where there is none, as in Node, or where the browser keeps pages from it. */
export function sessionStore(): StorageLike | undefined {
  return attempt(() => globalThis.sessionStorage);
}

/** A job whose log and output are too much is kept without them, and without a cursor: it is asked for from the start. */
function entryOf(held: WatchedJob): string | undefined {
  const whole = JSON.stringify({ at: Date.now(), held });
  if (whole.length <= ENTRY_MAX) return whole;
  const start: WatchedJob = { job: held.job, cursor: { pos: '0-0', log: 0, output: 0 }, log: [], output: [] };
  const short = JSON.stringify({ at: Date.now(), held: start });
  return short.length <= ENTRY_MAX ? short : undefined;
}

/** Anything can write to the storage of a page, so an entry is used only where it looks like one. */
function parseEntry(text: string | null | undefined, id?: string): WatchedJob | undefined {
  if (!text) return undefined;
  const entry = attempt(() => JSON.parse(text) as { at?: unknown; held?: Partial<WatchedJob> } | null);
  if (typeof entry?.at !== 'number' || Date.now() - entry.at > KEEP_MS) return undefined;
  const { job, cursor, log, output } = entry.held ?? {};
  const isCursor = typeof cursor?.pos === 'string' && Number.isInteger(cursor.log) && Number.isInteger(cursor.output);
  if (!isCursor || !Array.isArray(log) || !Array.isArray(output)) return undefined;
  if (typeof job?.id !== 'string' || typeof job.state !== 'string' || (id !== undefined && job.id !== id))
    return undefined;
  return entry.held as WatchedJob;
}

/** Takes away what is too old or broken, also of jobs that nobody watches any more. */
function sweep(storage: StorageLike, prefix: string): void {
  attempt(() => {
    const keys = Array.from({ length: storage.length ?? 0 }, (_, index) => storage.key?.(index));
    for (const key of keys) {
      if (key?.startsWith(prefix) && !parseEntry(storage.getItem(key))) storage.removeItem(key);
    }
  });
}

/** Storage may be full, forbidden or gone; the page works without it. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}
