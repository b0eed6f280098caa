import type { Answer, Call } from './messages.ts';

/** Questions that an isolate puts to its worker, which alone speaks to Redis. */
export interface Calls {
  /** Resolves with the answer. @throws Error in the words of the worker where it refuses. */
  call(name: string, ...args: unknown[]): Promise<unknown>;
  /** Takes an answer; one that nobody waits for is dropped. */
  settle(answer: Answer): void;
}

export function createCalls(send: (call: Call) => void): Calls {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let count = 0;
  return {
    call: (name, ...args) =>
      new Promise((resolve, reject) => {
        count += 1;
        waiting.set(count, { resolve, reject });
        send({ call: count, name, args });
      }),
    settle(answer) {
      const waiter = waiting.get(answer.call);
      waiting.delete(answer.call);
      if ('problem' in answer) waiter?.reject(new Error(answer.problem));
      else waiter?.resolve(answer.value);
    },
  };
}
