import { EventEmitter } from 'node:events';
import type { LiveSocket } from '../src/live-socket.ts';
import { createMetrics } from '../src/metrics.ts';
import { createPace, createSlowReaders } from '../src/slow-readers.ts';

/** A connection whose buffers the test fills and empties. */
class Connection extends EventEmitter {
  readonly sent: unknown[][] = [];
  readonly left: string[] = [];
  cut = false;
  released = 0;
  readonly conn = {
    writeBuffer: [] as { data: string }[],
    transport: Object.assign(new EventEmitter(), {
      socket: {
        bufferedAmount: 0,
        terminate: () => {
          this.cut = true;
          super.emit('disconnect');
        },
      },
    }),
  };
  readonly data = {
    pace: createPace(),
    watched: new Map([['job:a', { target: { job: 'a' }, release: () => (this.released += 1) }]]),
  };

  leave(room: string): void {
    this.left.push(room);
  }

  override emit(...message: [string, ...unknown[]]): boolean {
    this.sent.push(message);
    return true;
  }

  drain(): void {
    this.conn.transport.socket.bufferedAmount = 0;
    this.conn.writeBuffer.length = 0;
    this.conn.transport.emit('drain');
  }
}

function open() {
  const connection = new Connection();
  return { connection, socket: connection as unknown as LiveSocket, slow: createSlowReaders(createMetrics()) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test.each([
  ['64 KB', (connection: Connection) => (connection.conn.transport.socket.bufferedAmount = 65_537)],
  ['64 packets', (connection: Connection) => connection.conn.writeBuffer.push(...Array(65).fill({ data: '' }))],
  ['64 KB of text', (connection: Connection) => connection.conn.writeBuffer.push({ data: 'x'.repeat(65_537) })],
])('beyond %s it leaves its rooms, and is told to watch again once it has drained', (_, fill) => {
  const { connection, socket, slow } = open();
  fill(connection);
  slow.look(socket);
  expect([connection.left, connection.released, connection.sent]).toEqual([['job:a'], 1, []]);
  connection.drain();
  expect(connection.sent).toEqual([['resync', { targets: [{ job: 'a' }], why: 'the client read too slowly' }]]);
});

test('a client that keeps up is left alone, however much one turn of the event loop sends it', () => {
  const { connection, socket, slow } = open();
  slow.look(socket);
  connection.conn.writeBuffer.push(...Array(200).fill({ data: 'x'.repeat(1000) }));
  slow.look(socket);
  expect(connection.left).toEqual([]);
});

test('what is still there in the next turn counts', async () => {
  const { connection, socket, slow } = open();
  slow.look(socket);
  connection.conn.writeBuffer.push(...Array(200).fill({ data: '' }));
  await turn();
  slow.look(socket);
  expect(connection.left).toEqual(['job:a']);
  connection.drain();
});

test('beyond 1 MB it is cut, unless that is the answer to its own question', async () => {
  const { connection, socket, slow } = open();
  slow.answer(socket, () => {
    connection.conn.transport.socket.bufferedAmount = 5_000_000;
  });
  slow.look(socket);
  expect([connection.cut, connection.left]).toEqual([false, ['job:a']]);
  connection.drain();
  await turn();
  slow.look(socket);
  connection.conn.transport.socket.bufferedAmount = 1_048_577;
  await turn();
  slow.look(socket);
  expect(connection.cut).toBe(true);
});

test('one that lags for 30 s is cut', () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  const { connection, socket, slow } = open();
  connection.conn.transport.socket.bufferedAmount = 70_000;
  slow.look(socket);
  jest.advanceTimersByTime(29_999);
  expect(connection.cut).toBe(false);
  jest.advanceTimersByTime(1);
  expect(connection.cut).toBe(true);
  jest.useRealTimers();
});

test('answers wait until there is room', async () => {
  const { connection, socket, slow } = open();
  await slow.room(socket);
  connection.conn.transport.socket.bufferedAmount = 70_000;
  let room = false;
  const waited = slow.room(socket).then(() => {
    room = true;
  });
  await turn();
  expect(room).toBe(false);
  connection.drain();
  await waited;
});
