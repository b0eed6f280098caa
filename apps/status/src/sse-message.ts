import {
  type Cursor,
  type FinalState,
  formatCursor,
  isFinal,
  type JobEvent,
  parseCursor,
  type Snapshot,
} from '@spillway/contracts';

/** Where a reader of a stream stands, as the `id` of its messages says. */
export interface Standing {
  cursor: Cursor;
  /** The end that it has seen. A cursor alone cannot tell: other jobs of the queue move the position too. */
  seen?: FinalState;
}

const SEEN = /^(completed|failed|cancelled)~/;

/** Where a reader stands who has this snapshot. */
export function standingAt({ cursor, job: { state } }: Snapshot): Standing {
  return { cursor, ...(isFinal(state) && { seen: state }) };
}

/** A cursor as text, behind the final state where that has been seen: `completed~1795388407114-0~12~0`. */
export function formatId({ cursor, seen }: Standing): string {
  return `${seen ? `${seen}~` : ''}${formatCursor(cursor)}`;
}

/** What `formatId` wrote; undefined for any other text. */
export function parseId(text: string): Standing | undefined {
  const seen = SEEN.exec(text)?.[1] as FinalState | undefined;
  const cursor = parseCursor(seen ? text.slice(seen.length + 1) : text);
  return cursor && { cursor, ...(seen && { seen }) };
}

export type StreamMessage =
  | { event: 'snapshot'; data: Snapshot }
  | { event: 'events'; data: readonly JobEvent[] }
  | { event: 'removed'; data: { job: string } };

/** One message of a stream. JSON has no line breaks of its own, so its data is one line. */
export function formatMessage(standing: Standing, { event, data }: StreamMessage): string {
  return `id: ${formatId(standing)}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
