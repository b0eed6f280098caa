import type { QueueControlReply, QueueInfo } from '@spillway/client';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import type { Session } from '../session.ts';
import { duration, table } from '../text.ts';

export async function queues(session: Session): Promise<ExitCode> {
  return printQueues(session, await session.client.queues());
}

export async function pauseQueue(session: Session, name: string): Promise<ExitCode> {
  return printQueue(session, await session.client.pause(name));
}

export async function resumeQueue(session: Session, name: string): Promise<ExitCode> {
  return printQueue(session, await session.client.resume(name));
}

export interface DrainFlags {
  delayed?: boolean;
  reason?: string;
}

/** Asks until nothing waits any more. What was cancelled before a call that fails stays so. */
export async function drainQueue(session: Session, name: string, flags: DrainFlags): Promise<ExitCode> {
  let total = 0;
  for (let more = true; more; ) {
    const reply = await session.client.drain(name, flags);
    total += reply.cancelled;
    more = reply.more;
  }
  if (session.json) session.printJson({ queue: name, cancelled: total });
  else session.print(`${name} is drained: ${total} cancelled`);
  return EXIT_CODES.ok.code;
}

export async function workers(session: Session): Promise<ExitCode> {
  const alive = await session.client.workers();
  if (session.json) for (const worker of alive) session.printJson(worker);
  else if (alive.length === 0) session.note('no worker is alive');
  else {
    const rows = alive.map(({ id, host, pid, concurrency, running, startedAt }) => [
      id,
      `${host} (${pid})`,
      Object.entries(concurrency)
        .map(([queue, most]) => `${queue} ${most}`)
        .join(', '),
      String(running),
      duration(Date.now() - Date.parse(startedAt)),
    ]);
    session.print(table(session, ['id', 'host', 'jobs at once', 'running', 'up'], rows));
  }
  return EXIT_CODES.ok.code;
}

function printQueue(session: Session, { done, queue }: QueueControlReply): ExitCode {
  if (session.json) session.printJson({ done, queue });
  else session.print(`${queue.name} ${queue.paused ? 'is paused' : 'runs'}${done ? '' : ' already'}`);
  return EXIT_CODES.ok.code;
}

function printQueues(session: Session, known: readonly QueueInfo[]): ExitCode {
  if (session.json) for (const queue of known) session.printJson(queue);
  else if (known.length === 0) session.note('no worker has registered a queue yet');
  else session.print(table(session, ['queue', 'state', ...COUNTS, 'workers'], known.map(queueRow)));
  return EXIT_CODES.ok.code;
}

const COUNTS = ['waiting', 'delayed', 'blocked', 'active', 'completed', 'failed'] as const;

function queueRow({ name, paused, counts, workers: serving }: QueueInfo): string[] {
  return [name, paused ? 'paused' : 'runs', ...COUNTS.map((count) => String(counts[count])), String(serving)];
}
