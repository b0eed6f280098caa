import { once } from 'node:events';
import net from 'node:net';
import { until } from '@spillway/testkit';
import { io, type Socket } from 'socket.io-client';
import { freePort } from '../process/port.mjs';
import { fakeRedis } from './fake-redis.ts';
import { StartRun } from './started.ts';
import { temporaryFolder } from './temporary-folder.ts';

jest.setTimeout(120_000);

test('an unknown option ends with exit code 2 and the usage', async () => {
  const { code, output } = await new StartRun(temporaryFolder(), ['--wrokers', '2']).ended();
  expect(output).toContain("Unknown option '--wrokers'");
  expect(output).toContain('--workers N');
  expect(code).toBe(2);
});

test('a taken port is named before anything is started, with the way to choose another', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const { code, output } = await new StartRun(temporaryFolder(), ['--port', String(port)]).ended();
  server.close();
  expect(output).toMatch(new RegExp(`Port ${port} on 127.0.0.1, for api, is taken.*npm start -- --port`));
  expect(code).toBe(1);
});

test('a Redis that is too old ends the start', async () => {
  await using redis = await fakeRedis({ version: '5.0.14' });
  const { code, output } = await new StartRun(temporaryFolder(), ['--port', '0', '--redis', redis.url()]).ended();
  expect(output).toContain('needs Redis 6.2 or newer');
  expect(code).toBe(1);
});

test('a Redis that does not answer ends the start', async () => {
  const address = `redis://127.0.0.1:${await freePort()}`;
  const { code, output } = await new StartRun(temporaryFolder(), ['--port', '0', '--redis', address]).ended();
  expect(output).toContain(`No usable Redis at ${address}`);
  expect(code).toBe(1);
});

test('Ctrl-C stops everything, leaves no process behind and ends with exit code 0', async () => {
  await using run = new StartRun(temporaryFolder(), ['--port', '0', '--workers', '2']);
  await run.ready();
  expect(run.leftBehind().sort()).toEqual(['api', 'redis', 'status', 'worker 1', 'worker 2']);

  const { code } = await run.stop('SIGINT');
  expect(code).toBe(0);
  expect(run.leftBehind()).toEqual([]);
});

test('a second start is refused while the first runs, and has its data afterwards, also when that was killed', async () => {
  const folder = temporaryFolder();
  const id = await inOneRun(folder, 'SIGTERM', async (page, run) => {
    await expectRefused(new StartRun(folder), run);
    return submitJob(page);
  });
  await inOneRun(folder, 'SIGKILL', (page) => expectCompleted(page, id));

  await using third = new StartRun(folder);
  await expectCompleted(await third.ready(), id);
  expect(third.output).toMatch(/an earlier start was cut off; stopping what it left:.*redis/);
});

test("a live connection that came in at api's address goes on without api, and comes back after status", async () => {
  await using run = new StartRun(temporaryFolder());
  const page = await run.ready();
  const socket = io(`${page}/jobs`, { transports: ['websocket'], reconnectionDelay: 50, reconnectionDelayMax: 50 });
  await using _line = { [Symbol.asyncDispose]: async () => void socket.disconnect() };
  const told: { job: string; state?: string }[] = [];
  socket.on('events', (events) => told.push(...events));
  await heardOn(socket, 'connect');
  const opened = socket.id;

  const id = await submitJob(page, { type: 'demo.steps', input: { steps: 1000, stepMs: 20 } }, 0);
  await socket.emitWithAck('watch', { targets: [{ job: id }] });
  process.kill(run.pidOf('api'), 'SIGKILL');
  const heard = told.length;
  await until('news without api', () => told.length > heard + 10);
  expect(socket).toMatchObject({ connected: true, id: opened });

  process.kill(run.pidOf('status'), 'SIGKILL');
  await heardOn(socket, 'disconnect');
  await heardOn(socket, 'connect');
  const { results } = await socket.emitWithAck('watch', { targets: [{ job: id }] });
  expect(results).toMatchObject([{ job: id, snapshot: { job: { state: 'active' } } }]);

  // The stop would wait for the job; it waits for no connection that api gave away.
  await socket.emitWithAck('command', { id: 'enough', job: id, do: 'cancel' });
  const { output } = await run.stop('SIGTERM');
  expect(output).not.toContain('killed by timeout');
});

function heardOn(socket: Socket, event: 'connect' | 'disconnect'): Promise<void> {
  return new Promise((resolve) => socket.once(event, () => resolve()));
}

async function inOneRun<T>(
  folder: string,
  end: NodeJS.Signals,
  work: (page: string, run: StartRun) => Promise<T>,
): Promise<T> {
  await using run = new StartRun(folder);
  const result = await work(await run.ready(), run);
  await run.stop(end);
  return result;
}

async function expectRefused(second: StartRun, first: StartRun): Promise<void> {
  const { code, output } = await second.ended();
  expect(output).toContain(`already runs from this folder (process ${first.child.pid})`);
  expect(code).toBe(1);
}

async function submitJob(page: string, job: object = { type: 'demo.noop', input: {} }, waitS = 10): Promise<string> {
  const reply = await fetch(`${page}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: `wait=${waitS}` },
    body: JSON.stringify(job),
  });
  const { id } = (await reply.json()) as { id: string };
  return id;
}

async function expectCompleted(page: string, id: string): Promise<void> {
  const reply = await fetch(`${page}/v1/jobs/${id}`);
  expect(await reply.json()).toMatchObject({ id, state: 'completed' });
}
