import { type IncomingMessage, request } from 'node:http';
import { applyEvent, applySnapshot, type JobEvent, type Snapshot, type WatchedJob } from '@spillway/contracts';
import { until } from '@spillway/testkit';

export type Message = { id: string } & (
  | { event: 'snapshot'; data: Snapshot }
  | { event: 'events'; data: JobEvent[] }
  | { event: 'removed'; data: { job: string } }
);

export interface ReadOptions {
  /** The id to go on from. */
  last?: string | undefined;
  headers?: Record<string, string>;
  /** Everything that arrived on earlier connections too: messages are added to it. */
  messages?: Message[];
}

/** A bare reader of a stream, as the specification of EventSource describes one: a message counts once its blank line is here. */
export interface EventReader extends AsyncDisposable {
  readonly response: IncomingMessage;
  readonly messages: Message[];
  /** Everything that came, as text. */
  readonly text: () => string;
  /** How the stream was over; pending while it is not. */
  readonly over: Promise<'ended' | 'cut'>;
  cut(): void;
}

/** Resolves once the answer has begun, whatever its status is. */
export async function readEvents(base: string, path: string, options: ReadOptions = {}): Promise<EventReader> {
  const { last, headers, messages = [] } = options;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(
      new URL(path, base),
      { headers: { ...headers, ...(last && { 'last-event-id': last }) }, agent: false },
      resolve,
    )
      .once('error', reject)
      .end();
  });
  let text = '';
  // A snapshot of megabytes comes in hundreds of chunks: to look through all of them at each one took most of a test.
  let rest: string[] = [];
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    const isComplete = ((rest.at(-1) ?? '').slice(-1) + chunk).includes('\n\n');
    rest.push(chunk);
    if (!isComplete) return;
    const blocks = rest.join('').split('\n\n');
    rest = [blocks.pop() ?? ''];
    for (const block of blocks) messages.push(...parse(block));
  });
  const over = new Promise<'ended' | 'cut'>((resolve) => {
    response.once('end', () => resolve('ended'));
    response.once('error', () => resolve('cut'));
    response.once('close', () => resolve('cut'));
  });
  const cut = () => void response.destroy();
  return { response, messages, text: () => text, over, cut, [Symbol.asyncDispose]: async () => cut() };
}

function parse(block: string): Message[] {
  const fields = new Map(block.split('\n').map((line) => [line.split(':', 1)[0], line.slice(line.indexOf(':') + 2)]));
  const data = fields.get('data');
  if (data === undefined) return [];
  return [{ id: fields.get('id'), event: fields.get('event'), data: JSON.parse(data) } as Message];
}

/** What a watcher makes of the messages. */
export function fold(messages: readonly Message[]): WatchedJob | undefined {
  return messages.reduce<WatchedJob | undefined>((held, message) => {
    if (message.event === 'snapshot') return applySnapshot(held, message.data);
    return message.event === 'events' && held ? message.data.reduce(applyEvent, held) : held;
  }, undefined);
}

/** The numbers of all log lines, as they arrived: nothing is sorted, and nothing that came twice is dropped. */
export function logNumbers(messages: readonly Message[]): number[] {
  return messages.flatMap((message) => {
    if (message.event === 'snapshot') return message.data.log.map(({ n }) => n);
    if (message.event === 'removed') return [];
    return message.data.flatMap((event) => (event.kind === 'report' ? (event.log ?? []).map(({ n }) => n) : []));
  });
}

/** Follows a job as EventSource does, over as many connections as it takes, until it is told to stop asking. */
export async function followToEnd(
  base: string,
  path: string,
  disturb: (reader: EventReader) => void = () => undefined,
): Promise<{ messages: Message[]; connections: number }> {
  const messages: Message[] = [];
  for (let connections = 1; ; connections++) {
    const reader = await until('an answer', () =>
      readEvents(base, path, { last: messages.at(-1)?.id, messages }).catch(() => undefined),
    );
    if (reader.response.statusCode === 204) return { messages, connections };
    if (reader.response.statusCode === 200) disturb(reader);
    await reader.over;
  }
}

export const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
