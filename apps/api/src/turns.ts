/** Runs the work once it is its turn, and gives back what it gives. */
export type TakeTurns = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Lets heavy work in a little at a time, in the order in which it came. Node answers all that has arrived before it looks for
 * what else has come, and Redis works off one command after the other: behind ten batches that came together, a caller
 * who only reads waits for all ten, behind two it waits for these.
 *
 * A turn ends with its work or after `longestMs`, whichever comes first: where Redis hangs, nobody waits for the others too.
 */
export function createTurns({ atOnce, longestMs }: { atOnce: number; longestMs: number }): TakeTurns {
  const line: (() => void)[] = [];
  let free = atOnce;

  async function enter(): Promise<() => void> {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => line.push(resolve));
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const next = line.shift();
      if (next) next();
      else free += 1;
    };
  }

  return async (work) => {
    const leave = await enter();
    const overdue = setTimeout(leave, longestMs);
    try {
      return await work();
    } finally {
      clearTimeout(overdue);
      leave();
    }
  };
}
