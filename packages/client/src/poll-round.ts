/** Everything that is read again every few seconds. */
export interface PollRound {
  /** Takes part from the next turn on. */
  add(name: string, read: () => Promise<void>): void;
  remove(name: string): void;
  /** In the order in which they came. */
  names(): string[];
  close(): void;
}

/**
 * Reads one after the other and then pauses: however much is watched, the server has one question at a time from here.
 * The pause has jitter, so that many clients do not ask in step. A read that fails is told and stays in the round.
 */
export function createPollRound(pauseMs: number, onFailure: (name: string, error: unknown) => void): PollRound {
  const reads = new Map<string, () => Promise<void>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = false;
  const turnSoon = () => {
    running = reads.size > 0;
    if (running) timer = setTimeout(() => void turn(), pauseMs * (0.75 + Math.random() / 2));
  };
  const turn = async () => {
    for (const [name, read] of [...reads]) {
      if (reads.get(name) !== read) continue;
      await read().catch((error: unknown) => {
        if (reads.get(name) === read) onFailure(name, error);
      });
    }
    turnSoon();
  };
  return {
    add(name, read) {
      reads.set(name, read);
      if (!running) turnSoon();
    },
    remove: (name) => void reads.delete(name),
    names: () => [...reads.keys()],
    close() {
      reads.clear();
      clearTimeout(timer);
    },
  };
}
