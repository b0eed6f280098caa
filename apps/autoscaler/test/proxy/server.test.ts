import { call } from '@spillway/testkit';
import { cloneOf } from '../../src/docker/clone.ts';
import { createProxy } from '../../src/proxy/server.ts';
import { type EngineStand, openEngineStand, type StandContainer } from '../engine-stand.ts';

let stand: EngineStand;
let url: string;
let closeProxy: () => Promise<void>;
let worker: StandContainer;
let redis: StandContainer;

beforeEach(async () => {
  stand = await openEngineStand();
  worker = stand.add('worker', 1);
  redis = stand.add('redis', 1);
  const logger = { warn: () => undefined } as never;
  const service = { project: 'house', service: 'worker' };
  const proxy = createProxy({ socketPath: stand.socketPath, service, max: 3, logger });
  url = await proxy.listen(0, '127.0.0.1');
  closeProxy = () => proxy.close();
});
afterEach(async () => {
  await closeProxy();
  await stand[Symbol.asyncDispose]();
});

/** What changes something, of all that the engine heard. */
function changes(): string[] {
  return stand.heard.filter((request) => !request.startsWith('GET '));
}

type Body = Record<string, unknown> & { HostConfig: object; Labels: object };
const clone = (number: number) => cloneOf(worker, number).body as Body;
const create = (number: number, body: unknown) =>
  call(url, 'POST', `/containers/create?name=house-worker-${number}`, body);

test('the list has the workers of the project only, whatever is asked', async () => {
  stand.add('worker', 1, {
    Config: { ...worker.Config, Labels: { ...worker.Config.Labels, 'com.docker.compose.project': 'other' } },
  });
  const { status, body } = await call<{ Id: string }[]>(url, 'GET', '/containers/json?all=1');
  expect(status).toBe(200);
  expect(body.map(({ Id }) => Id)).toEqual([worker.Id]);
});

test('a worker is inspected, stopped, removed and started', async () => {
  for (const [method, path, status] of [
    ['GET', `/containers/${worker.Id}/json`, 200],
    ['POST', `/containers/${worker.Id}/stop`, 204],
    ['POST', `/containers/${worker.Id}/start`, 204],
    ['DELETE', `/containers/${worker.Id}`, 204],
    ['DELETE', `/containers/${worker.Id}`, 404],
  ] as const) {
    expect([path, (await call(url, method, path)).status]).toEqual([path, status]);
  }
  expect(stand.containers).toEqual([redis]);
});

test('containers of other services are not even shown', async () => {
  for (const [method, path] of [
    ['GET', `/containers/${redis.Id}/json`],
    ['POST', `/containers/${redis.Id}/stop`],
    ['POST', `/containers/${redis.Id}/start`],
    ['DELETE', `/containers/${redis.Id}`],
  ] as const) {
    const { status, body } = await call(url, method, path);
    expect(status).toBe(403);
    expect(body).toEqual({ message: 'expected a container of the service worker of house, got another one' });
  }
  expect(changes()).toEqual([]);
});

test('a copy of a worker is created, and so is a copy of the copy', async () => {
  expect((await create(2, clone(2))).status).toBe(201);
  const second = stand.containers.find(({ Name }) => Name === '/house-worker-2')!;
  expect((await create(3, cloneOf(second, 3).body)).status).toBe(201);
  expect(stand.containers.at(-1)).toMatchObject({ HostConfig: worker.HostConfig, Image: worker.Image });
});

test.each<[what: string, change: (body: Body) => object]>([
  ['another image', (body) => ({ ...body, Image: 'sha256:evil' })],
  ['another command', (body) => ({ ...body, Cmd: ['sh'] })],
  ['another user', (body) => ({ ...body, User: '0' })],
  ['another environment', (body) => ({ ...body, Env: ['A=1', 'NODE_OPTIONS=--inspect'] })],
  ['a mount', (body) => ({ ...body, HostConfig: { ...body.HostConfig, Binds: ['/:/host'] } })],
  ['privileges', (body) => ({ ...body, HostConfig: { ...body.HostConfig, Privileged: true } })],
  ['capabilities', (body) => ({ ...body, HostConfig: { ...body.HostConfig, CapAdd: ['SYS_ADMIN'] } })],
  ['the network of the host', (body) => ({ ...body, HostConfig: { ...body.HostConfig, NetworkMode: 'host' } })],
  ['another network', (body) => ({ ...body, NetworkingConfig: { EndpointsConfig: { house_engine: {} } } })],
  ['other labels', (body) => ({ ...body, Labels: { ...body.Labels, 'com.docker.compose.service': 'api' } })],
  ['the number of another name', () => clone(3)],
  ['nothing', () => ({})],
])('a container with %s is refused', async (_, change) => {
  const { status, body } = await create(2, change(clone(2)));
  expect(status).toBe(403);
  expect(body).toEqual({ message: 'expected the settings of a container of worker that exists, got others' });
  expect(changes()).toEqual([]);
});

test('a copy of another service, under a name of the workers, is refused', async () => {
  expect((await create(2, cloneOf(redis, 2).body)).status).toBe(403);
  expect(changes()).toEqual([]);
});

test('names of others and numbers above the most are refused', async () => {
  expect((await create(4, clone(4))).status).toBe(403);
  expect((await call(url, 'POST', '/containers/create?name=house-worker-02', clone(2))).status).toBe(403);
  expect((await call(url, 'POST', '/containers/create?name=house-redis-2', clone(2))).status).toBe(403);
  expect(changes()).toEqual([]);
});

test('a start with a body, which old engines take for settings, is refused', async () => {
  const { status } = await call(url, 'POST', `/containers/${worker.Id}/start`, { Binds: ['/:/host'] });
  expect(status).toBe(403);
  expect(changes()).toEqual([]);
});

test('whatever else is asked, the engine does not hear of it', async () => {
  for (const path of ['/info', '/images/json', `/containers/${worker.Id}/exec`, '/containers/prune']) {
    expect((await call(url, 'POST', path)).status).toBe(403);
  }
  expect(stand.heard).toEqual([]);
});

test('it is ready while the engine answers', async () => {
  expect((await call(url, 'GET', '/readyz')).status).toBe(200);
  await stand[Symbol.asyncDispose]();
  expect((await call(url, 'GET', '/readyz')).status).toBe(502);
});
