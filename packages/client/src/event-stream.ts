/** One event of a `text/event-stream`. */
export interface StreamEvent {
  event: string;
  data: string;
  /** The latest id of the stream, also where this event brought none of its own; '' before the first. */
  id: string;
}

/** Told of every piece that comes, be it only a heartbeat, and of the end. */
export interface StreamHearing {
  heard(): void;
  end(): void;
  /** Each ends the stream: a read that is pending when its request is aborted does not always settle by itself. */
  stops: readonly AbortSignal[];
}

/**
 * Reads events as the HTML standard says (https://html.spec.whatwg.org/multipage/server-sent-events.html). An event that
 * the end cuts off is dropped.
 */
export async function* readEventStream(
  body: ReadableStream<Uint8Array>,
  hearing?: StreamHearing,
): AsyncGenerator<StreamEvent, void, undefined> {
  const fields = { event: '', data: [] as string[], id: '' };
  for await (const line of readLines(body, hearing)) {
    if (line !== '') {
      takeField(fields, line);
      continue;
    }
    const { event, data, id } = fields;
    fields.event = '';
    fields.data = [];
    if (data.length > 0) yield { event: event || 'message', data: data.join('\n'), id };
  }
}

function takeField(fields: { event: string; data: string[]; id: string }, line: string): void {
  const colon = line.indexOf(':');
  if (colon === 0) return;
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
  if (name === 'event') fields.event = value;
  if (name === 'data') fields.data.push(value);
  if (name === 'id' && !value.includes('\0')) fields.id = value;
}

/** Lines end with CR, LF or both; a CR at the end of one piece may have its LF in the next. */
export async function* readLines(body: ReadableStream<Uint8Array>, hearing?: StreamHearing): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const cut = lineCutter();
  const stop = () => void reader.cancel().catch(() => {});
  for (const signal of hearing?.stops ?? []) {
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  }
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      hearing?.heard();
      yield* cut(decoder.decode(value, { stream: true }));
    }
  } finally {
    hearing?.end();
    for (const signal of hearing?.stops ?? []) signal.removeEventListener('abort', stop);
    // Whoever stops reading wants no more: this also ends the request.
    await reader.cancel().catch(() => {});
  }
}

/** Gives the lines that end in each piece. The end of one may be megabytes away: only what is new is looked through for it. */
function lineCutter(): (piece: string) => string[] {
  let line = '';
  let heldBack = '';
  return (piece) => {
    const text = heldBack + piece;
    heldBack = text.endsWith('\r') ? '\r' : '';
    const [first = '', ...others] = text.slice(0, text.length - heldBack.length).split(/\r\n|\r|\n/);
    line += first;
    const last = others.pop();
    if (last === undefined) return [];
    const whole = [line, ...others];
    line = last;
    return whole;
  };
}
