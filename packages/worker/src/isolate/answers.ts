import type { Lease } from '@spillway/queue/consumer';
import type { Answer, Call } from './messages.ts';

/** What an isolate may ask of the worker about the lease of the job that it runs. What needs an answer goes here. */
const ANSWERS: Record<string, (lease: Lease, ...args: never[]) => Promise<unknown>> = {
  flush: (lease) => lease.reports.flush(),
  recall: (lease, name: string) => lease.steps.recall(name),
  remember: (lease, name: string, json: string) => lease.steps.remember(name, json),
  children: (lease) => lease.children(),
};

/** Never throws: a refusal is an answer too. */
export async function answerCall(lease: Lease, { call, name, args }: Call): Promise<Answer> {
  try {
    const answer = Object.hasOwn(ANSWERS, name) ? ANSWERS[name] : undefined;
    if (!answer) throw new Error(`expected one of ${Object.keys(ANSWERS).join(', ')}, got a call of ${name}`);
    return { call, value: await answer(lease, ...(args as never[])) };
  } catch (error) {
    return { call, problem: error instanceof Error ? error.message : String(error) };
  }
}
