import type { QueueScaling, ScalingReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ env: { WORKER_CONCURRENCY: '2', SPILLWAY_TARGET_WAIT_MS: '5000' } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

async function scaling(query = ''): Promise<ScalingReply> {
  return (await call<ScalingReply>(spillway.url, 'GET', `/v1/scaling${query}`)).body;
}

async function queue(name: string, query = ''): Promise<QueueScaling> {
  const found = (await scaling(query)).queues.find((one) => one.name === name);
  if (!found) throw new Error(`expected the queue ${name}`);
  return found;
}

test('a queue that nobody uses needs no workers', async () => {
  const { targetWaitMs } = await scaling();
  expect(targetWaitMs).toBe(5000);
  expect(await queue('images')).toMatchObject({
    backlog: 0,
    oldestWaitMs: 0,
    arrivalsPerSecond: 0,
    utilisation: 0,
    workers: 1,
    slots: 2,
    advisedWorkers: 0,
    paused: false,
  });
});

test('a queue that works is measured, and the shorter the target the more workers it needs', async () => {
  const submit = () => call(spillway.url, 'POST', '/v1/jobs', { type: 'demo.steps', input: { steps: 1, stepMs: 250 } });
  await Promise.all(Array.from({ length: 60 }, submit));
  const measured = await until('measured rates', async () => {
    const found = await queue('demo');
    return found.arrivalsPerSecond > 0 && found.servicePerSecond > 0 && found.backlog > 4 ? found : undefined;
  });
  expect(measured.runMs?.mean).toBeGreaterThanOrEqual(249);
  expect(measured.capacityPerSecond).toBeLessThanOrEqual(8.1);
  expect(measured).toMatchObject({ active: 2, slots: 2, workers: 1 });
  expect(measured.oldestWaitMs).toBeGreaterThan(0);
  expect(measured.utilisation).toBeGreaterThan(0);
  const [hurried, patient] = [await queue('demo', '?targetWaitMs=100'), await queue('demo', '?targetWaitMs=86400000')];
  expect(hurried.advisedWorkers).toBeGreaterThan(patient.advisedWorkers);
  expect(patient.advisedWorkers).toBeGreaterThanOrEqual(1);
});

test.each(['99', '86400001', '1e3', '-5', '', 'soon'])(
  'a target wait of %j is refused by name',
  async (targetWaitMs) => {
    const { status, body } = await call(spillway.url, 'GET', `/v1/scaling?targetWaitMs=${targetWaitMs}`);
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('a whole number from 100 to 86400000');
  },
);

test('Prometheus sees the same figures of each queue', async () => {
  const response = await fetch(`${spillway.url}/metrics`);
  const text = await response.text();
  for (const name of [
    'backlog',
    'oldest_wait_seconds',
    'arrivals_per_second',
    'service_per_second',
    'utilisation',
    'slots',
    'workers',
    'advised_workers',
  ]) {
    expect(text).toMatch(new RegExp(`^spillway_queue_${name}\\{queue="images",service="api"\\} \\d`, 'm'));
  }
  expect(text).toContain('spillway_queue_slots{queue="demo",service="api"} 2\n');
});
