import { parentPort, workerData } from 'node:worker_threads';
import { lookAtMainThread, suspects } from './look.ts';
import type { Blocked, WatchdogSetup } from './watch.ts';

const LOOK_MS = 100;
/** A watchdog that was itself not run for so long has seen a machine that sleeps or is overloaded, and no handler. */
const OWN_DELAY_MS = 1000;

const setup = workerData as WatchdogSetup;
const state = { beat: -1, movedAt: performance.now(), lookedAt: performance.now() };
let blocked: Blocked | undefined;

setInterval(look, LOOK_MS);

function look(): void {
  const now = performance.now();
  const beat = Atomics.load(setup.beats, 0);
  const overslept = now - state.lookedAt > OWN_DELAY_MS;
  state.lookedAt = now;
  if (beat !== state.beat || (overslept && !blocked)) {
    if (blocked) parentPort?.postMessage({ ...blocked, ms: Math.round(now - state.movedAt) } satisfies Blocked);
    blocked = undefined;
    state.beat = beat;
    state.movedAt = now;
    return;
  }
  const ms = Math.round(now - state.movedAt);
  if (blocked || ms < setup.blockedMs) return;
  blocked = { jobs: [], ms, at: new Date(Date.now() - ms).toISOString() };
  void accuse(blocked);
}

/** Says who blocks the loop while it is blocked, as far as that can be told. */
async function accuse(found: Blocked): Promise<void> {
  const { beat } = state;
  const seen = await lookAtMainThread();
  // Whoever was stopped after the loop had turned again is innocent.
  if (Atomics.load(setup.beats, 0) !== beat) return;
  Object.assign(found, suspects(seen, setup.types));
  // Loaded only now: most workers never need it.
  const { createLogger } = await import('@spillway/runtime');
  const where = seen.frames.slice(0, 5).map(({ name, url, line }) => `${name || 'anonymous'} (${url}:${line})`);
  createLogger('worker', setup).warn({ ...found, where }, 'a handler blocks the event loop: leases cannot be renewed');
}
