import fc from 'fast-check';
import { readEventStream, type StreamEvent } from '../src/event-stream.ts';

async function read(...pieces: (string | Uint8Array)[]): Promise<StreamEvent[]> {
  const bytes = pieces.map((piece) => (typeof piece === 'string' ? new TextEncoder().encode(piece) : piece));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of bytes) controller.enqueue(piece);
      controller.close();
    },
  });
  const events: StreamEvent[] = [];
  for await (const event of readEventStream(body)) events.push(event);
  return events;
}

test.each<[string, string, StreamEvent[]]>([
  ['event, data and id', 'event: a\ndata: 1\nid: x\n\n', [{ event: 'a', data: '1', id: 'x' }]],
  ['no event name is "message"', 'data: 1\n\n', [{ event: 'message', data: '1', id: '' }]],
  ['several data lines are one text', 'data: 1\ndata\ndata:  2\n\n', [{ event: 'message', data: '1\n\n 2', id: '' }]],
  [
    'comments and unknown fields are nothing',
    ': hello\nretry: 5\ndata: 1\n\n',
    [{ event: 'message', data: '1', id: '' }],
  ],
  ['an event without data is none', 'event: a\n\ndata: 1\n\n', [{ event: 'message', data: '1', id: '' }]],
  ['an id stays', 'id: x\ndata: 1\n\ndata: 2\n\n', ['1', '2'].map((data) => ({ event: 'message', data, id: 'x' }))],
  ['what the end cuts off is dropped', 'data: 1\n\ndata: 2\n', [{ event: 'message', data: '1', id: '' }]],
  ['an id with NUL is ignored', 'id: a\0b\ndata: 1\n\n', [{ event: 'message', data: '1', id: '' }]],
])('%s', async (_name, text, expected) => {
  expect(await read(text)).toEqual(expected);
});

test('wherever the bytes are cut and however lines end, the events are the same', async () => {
  const text = ': hi\nevent: snapshot\nid: 1-0~0~0\ndata: {"a":"ä€😀"}\n\nevent: events\ndata: [\ndata: 1]\n\n';
  const expected = await read(text);
  expect(expected).toHaveLength(2);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('\n', '\r', '\r\n'),
      fc.array(fc.nat(120), { maxLength: 12 }),
      async (end, cuts) => {
        const bytes = new TextEncoder().encode(text.replaceAll('\n', end));
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((to, index) => bytes.slice(at[index], Math.max(to, at[index] ?? 0)));
        // A lone CR at the very end may still have its LF to come, so that the last event waits for what follows.
        expect(await read(...pieces, end === '\r' ? ':' : '')).toEqual(expected);
      },
    ),
    { numRuns: 200 },
  );
});
