import { call, type ServiceProcess, type Spillway, startService, startSpillway, until } from '@spillway/testkit';
import { createProxy } from '../src/proxy/server.ts';
import { openEngineStand } from './engine-stand.ts';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ env: { WORKER_CONCURRENCY: '2', SPILLWAY_TARGET_WAIT_MS: '1000' } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

function startAutoscaler(env: Record<string, string> = {}): Promise<ServiceProcess> {
  return startService('autoscaler', {
    SPILLWAY_URL: spillway.url,
    AUTOSCALER_PORT: '0',
    AUTOSCALER_INTERVAL_MS: '500',
    AUTOSCALER_COOLDOWN_MS: '1500',
    AUTOSCALER_QUEUES: 'demo',
    AUTOSCALER_MAX: '3',
    ...env,
  });
}

interface View {
  running: number;
  wanted: number;
  reason: string;
  trouble?: string;
}
const view = async ({ url }: ServiceProcess) => (await call<View>(url, 'GET', '/')).body;

/** Jobs for some five seconds of the one worker. */
function burst(): Promise<unknown> {
  const submit = () => call(spillway.url, 'POST', '/v1/jobs', { type: 'demo.steps', input: { steps: 1, stepMs: 250 } });
  return Promise.all(Array.from({ length: 40 }, submit));
}

test('without an engine it tells what it would do, at / and in its metrics', async () => {
  await using autoscaler = await startAutoscaler();
  await until('a first look', async () => (await call(autoscaler.url, 'GET', '/readyz')).status === 200);
  expect(await view(autoscaler)).toMatchObject({ running: 1, wanted: 1, mode: 'advise' });
  await burst();
  await until('more workers to be wanted', async () => (await view(autoscaler)).wanted === 3);
  const { body } = await call<string>(autoscaler.url, 'GET', '/metrics');
  expect(body).toMatch(/^spillway_autoscaler_running_workers\{service="autoscaler"\} 1$/m);
  expect(body).toMatch(/^spillway_autoscaler_decisions_total\{reason="up",service="autoscaler"\} [1-9]/m);
  expect(autoscaler.output()).toContain('would scale the workers');
  expect((await call(autoscaler.url, 'GET', '/v1/jobs')).status).toBe(404);
});

test('with an engine it makes containers of its service for a burst, through the proxy, and removes them after it', async () => {
  await using stand = await openEngineStand();
  stand.add('worker', 1);
  const service = { project: 'house', service: 'worker' };
  const proxy = createProxy({
    socketPath: stand.socketPath,
    service,
    max: 3,
    logger: { warn: () => undefined } as never,
  });
  const url = await proxy.listen(0, '127.0.0.1');
  await using _closing = { [Symbol.asyncDispose]: () => proxy.close() };
  await using autoscaler = await startAutoscaler({
    AUTOSCALER_MODE: 'docker',
    AUTOSCALER_ENGINE_URL: url,
    AUTOSCALER_PROJECT: 'house',
  });
  await burst();
  const names = () => stand.containers.map(({ Name }) => Name);
  await until('two more workers', () => names().length === 3);
  expect(names()).toEqual(['/house-worker-1', '/house-worker-2', '/house-worker-3']);
  // What came counts for ten seconds, and the cooldown comes after it.
  await until('one worker', () => names().length === 1, 60_000);
  expect(names()).toEqual(['/house-worker-1']);
  expect((await view(autoscaler)).trouble).toBeUndefined();
});

test('an api that is away makes it not ready, and it says why', async () => {
  await using autoscaler = await startAutoscaler({ SPILLWAY_URL: 'http://127.0.0.1:1' });
  await until('the trouble to show', async () => (await view(autoscaler)).trouble);
  const { status, body } = await call(autoscaler.url, 'GET', '/readyz');
  expect(status).toBe(503);
  expect(JSON.stringify(body)).toContain('no advice from api');
  expect((await call(autoscaler.url, 'GET', '/healthz')).status).toBe(200);
});

test('a most below the fewest is refused by name', async () => {
  await expect(startAutoscaler({ AUTOSCALER_MIN: '4' })).rejects.toThrow(
    'AUTOSCALER_MAX: expected at least AUTOSCALER_MIN (4), got 3',
  );
});
