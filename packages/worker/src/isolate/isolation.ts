/** What a handler runs in: `thread` for work that uses a core, `process` also for code that may crash or is not trusted. */
export type IsolationKind = 'thread' | 'process';

export interface Isolation {
  kind: IsolationKind;
  /** Megabytes of JavaScript heap, beyond which the isolate dies; Node's own limit where absent. Buffers lie outside of the heap. */
  memoryMb?: number | undefined;
}

/** Below this Node itself, with a job file and its libraries, may not start. */
const MEMORY_MIN_MB = 32;

/** @throws TypeError saying what was expected and what came. */
export function readIsolation(type: string, isolate: unknown): Isolation | undefined {
  if (isolate === undefined) return undefined;
  const { kind, memoryMb } = (typeof isolate === 'object' && isolate !== null ? isolate : { kind: isolate }) as {
    kind: unknown;
    memoryMb?: unknown;
  };
  if (kind !== 'thread' && kind !== 'process') {
    throw new TypeError(
      `${type}: expected isolate to be 'thread', 'process' or { kind, memoryMb }, got ${JSON.stringify(isolate)}`,
    );
  }
  if (memoryMb === undefined) return { kind };
  if (typeof memoryMb === 'number' && Number.isInteger(memoryMb) && memoryMb >= MEMORY_MIN_MB)
    return { kind, memoryMb };
  throw new TypeError(
    `${type}: expected isolate.memoryMb to be a whole number from ${MEMORY_MIN_MB} on, got ${JSON.stringify(memoryMb)}`,
  );
}
