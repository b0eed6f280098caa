import { settledWithin } from '../engine/settled-within.ts';

/** After the deadline, how long handing back may take before the leases are simply left to run out. */
const HAND_BACK_MS = 1000;

/** The one stop of a consumer: no new jobs, then patience, then what still runs is handed back. */
export interface Stop {
  /** Set with the first call: what is fetched from then on was on its way already, and goes back at once. */
  readonly hasBegun: boolean;
  /** A later call may shorten the patience of an earlier one and never prolongs it. All resolve together. */
  within(finishMs: number): Promise<void>;
}

export function createStop(setup: {
  /** Ends the taking at once; resolves when nothing runs any more, which is never where Redis has gone. */
  close: () => Promise<void>;
  handBackRest: () => void;
}): Stop {
  let deadline = Number.POSITIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let ended: Promise<void> | undefined;
  let giveUp: () => void = () => undefined;
  const isOver = new Promise<'over'>((resolve) => {
    giveUp = () => resolve('over');
  });

  async function run(): Promise<void> {
    const closed = setup.close().catch(() => undefined);
    const first = await Promise.race([closed, isOver]);
    clearTimeout(timer);
    if (first !== 'over') return;
    setup.handBackRest();
    await settledWithin(closed, HAND_BACK_MS);
  }

  return {
    get hasBegun() {
      return ended !== undefined;
    },
    within(finishMs) {
      const at = Date.now() + finishMs;
      if (at < deadline) {
        deadline = at;
        clearTimeout(timer);
        timer = setTimeout(giveUp, finishMs);
      }
      ended ??= run();
      return ended;
    },
  };
}
