import { AsyncLocalStorage } from 'node:async_hooks';
import type { Lease } from '@spillway/queue/consumer';
import type { JobContext } from './context.ts';

/** Names of the steps that the code at hand runs in: one that waits for itself would wait until the time limit. */
const around = new AsyncLocalStorage<readonly string[]>();

/** Checked before anything runs; what keeps steps checks it too. */
const NAME_MAX = 100;

/** A job's `step`. A job that never calls it pays for this closure and nothing else. */
export function createStep(lease: Pick<Lease, 'steps'>, signal: () => AbortSignal): JobContext['step'] {
  let running: Map<string, Promise<string>> | undefined;
  return async <T>(name: string, run: () => Promise<T> | T): Promise<T> => {
    assertStep(name, run);
    signal().throwIfAborted();
    running ??= new Map();
    const shared = running.get(name) ?? start(lease, name, run, running);
    // Each caller gets a copy of its own, as it would in a later attempt.
    return decode(await shared) as T;
  };
}

function start(
  lease: Pick<Lease, 'steps'>,
  name: string,
  run: () => unknown,
  running: Map<string, Promise<string>>,
): Promise<string> {
  const outer = around.getStore() ?? [];
  const ended = around.run([...outer, name], () => recallOrRun(lease, name, run)).finally(() => running.delete(name));
  running.set(name, ended);
  return ended;
}

async function recallOrRun({ steps }: Pick<Lease, 'steps'>, name: string, run: () => unknown): Promise<string> {
  const remembered = await steps.recall(name);
  if (remembered !== undefined) return remembered;
  const json = encode(name, await run());
  await steps.remember(name, json);
  return json;
}

function assertStep(name: unknown, run: unknown): void {
  if (typeof name !== 'string' || name === '')
    throw new TypeError(`step: expected a name, got ${typeof name === 'string' ? 'an empty one' : typeof name}`);
  if (name.length > NAME_MAX)
    throw new RangeError(`step: expected a name of at most ${NAME_MAX} characters, got ${name.length}`);
  if (typeof run !== 'function')
    throw new TypeError(`step ${JSON.stringify(name)}: expected a function to run, got ${typeof run}`);
  if (around.getStore()?.includes(name))
    throw new TypeError(`step ${JSON.stringify(name)}: expected another name inside of it, got its own`);
}

/** A step that gives nothing is remembered as empty text, which JSON never is. */
function encode(name: string, value: unknown): string {
  if (value === undefined) return '';
  try {
    const json: string | undefined = JSON.stringify(value);
    if (json !== undefined) return json;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`step ${JSON.stringify(name)}: expected a value that JSON can hold: ${reason}`, { cause });
  }
  throw new TypeError(`step ${JSON.stringify(name)}: expected a value that JSON can hold, got a ${typeof value}`);
}

function decode(json: string): unknown {
  return json === '' ? undefined : (JSON.parse(json) as unknown);
}
