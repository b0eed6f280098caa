/**
 * Entries that a queue's event stream keeps, about. Watchers recover from snapshots, never from history, so this only
 * has to outlast a reader's lag: 20,000 small entries are about 1 MB and two seconds of 10,000 events each. Every process
 * must pass the same number, because the engine lets the last one win.
 */
export const EVENTS_KEPT = 20_000;

/** Log lines and output chunks that are kept of a job; older ones go first, and numbers tell that they are gone. */
export const LOG_LINES_KEPT = 1000;
export const OUTPUT_CHUNKS_KEPT = 1000;

/** Largest log line, in characters, and largest output chunk, in characters of JSON: larger things are files. */
export const LOG_LINE_MAX = 4096;
export const OUTPUT_CHUNK_MAX = 16_384;

/** How long finished jobs can be read: a day for those that went well, a week for those that somebody may look into. */
export const KEEP_COMPLETED_S = 86_400;
export const KEEP_FAILED_S = 604_800;

/** Output lists are no keys of the engine, so they expire by themselves, a day after the job that they belong to. */
export const OUTPUT_TTL_S = KEEP_FAILED_S + 86_400;

/**
 * What one job may remember of its steps: 100 values of 64 KB each, so at most 6.4 MB, read once an attempt. They expire as
 * output does (OUTPUT_TTL_S), counted from the last step, because the engine does not know of them either.
 */
export const STEPS_MAX = 100;
export const STEP_NAME_MAX = 100;
export const STEP_BYTES_MAX = 65_536;

/**
 * How long workers look at the marks of what they run, after the last cancel of a running job. One that does not hear of
 * it within the lease of 10 seconds has lost the job.
 */
export const CANCELLING_S = 600;

/** How long a command's answer is remembered: a client that repeats it after a day has long been told otherwise. */
export const COMMAND_KEPT_S = 86_400;

/**
 * How long a label's index outlives the last job that got it. Ids leave the index with their jobs; this only clears up
 * after tools that remove jobs without telling it, so it is long enough for jobs that wait for weeks.
 */
export const LABEL_TTL_S = 30 * 86_400;

/**
 * Newest jobs that a tenant's index keeps in one queue. Where keys are configured every job has a tenant: an index of all of
 * them would cost each waiting job a fifth more memory, for a list of which an operator looks at the first page.
 */
export const TENANT_JOBS_KEPT = 1000;

/** Characters of a failed attempt's stack that are stored, and how many attempts' stacks a job keeps: the latest. */
export const STACK_MAX = 8192;
export const STACKS_KEPT = 10;

/** Largest job type as it is published, in characters of JSON: every api reads all of them, every second. */
export const TYPE_MAX = 65_536;

/**
 * Where jobs stand that are held back until there is room: above every delayed job. The engine scores those by their time in
 * milliseconds times 4096, in a double: whole numbers end at 2^53, which is in September 2039, and this is in August.
 */
export const PARKED_SCORE = 9_000_000_000_000_000;

/** Behind them stand those that are held back until their tenant or their group has room: 4e12 places for the ones, 3e12 for the others. */
export const HELD_SCORE = 9_004_000_000_000_000;

/** The furthest that a job may be delayed, and the last moment that it may be delayed to: it must stand below those. */
export const DELAY_MAX_MS = 10 * 365 * 86_400_000;
export const DELAYED_UNTIL_MAX = Date.UTC(2039, 0, 1);
