import { randomUUID } from 'node:crypto';
import type { Job, JobType } from '@spillway/contracts';
import { createRegistry } from '@spillway/queue/registry';
import {
  call,
  type FaultProxy,
  openProxy,
  openSandbox,
  type RedisServer,
  type ServiceProcess,
  startRedis,
  startService,
  until,
} from '@spillway/testkit';

// Processes take a while to start on a busy machine.
jest.setTimeout(90_000);

const TYPE: JobType = { type: 'test.work', queue: 'work', input: {}, defaults: {} };
const BODY = { type: TYPE.type, input: {} };

interface Stage {
  server: RedisServer;
  proxy: FaultProxy;
  api: ServiceProcess;
  /** A job that waits. */
  id: string;
}

interface Fault {
  begin: (stage: Stage) => unknown;
  end?: (stage: Stage) => unknown;
}

const FAULTS: Record<string, Fault> = {
  'is killed': { begin: ({ server }) => server.kill(), end: ({ server }) => server.start() },
  hangs: { begin: ({ server }) => server.pause(), end: ({ server }) => server.resume() },
  'cannot be reached any more': {
    begin: ({ proxy }) => {
      proxy.refuse();
      proxy.reset();
    },
    end: ({ proxy }) => proxy.heal(),
  },
  // Its connections are dead and nobody was told; new ones would work.
  'has lost its connections without a word': { begin: ({ proxy }) => proxy.silence() },
};

/** Every route that needs Redis. */
function requests(id: string): [method: string, path: string, body?: unknown][] {
  return [
    ['POST', '/v1/jobs', BODY],
    ['POST', '/v1/batches', [BODY, BODY]],
    ['GET', '/v1/jobs'],
    ['GET', `/v1/jobs/${id}`],
    ['GET', `/v1/jobs/${id}?wait=20`],
    ['GET', `/v1/jobs/${id}/result`],
    ['GET', `/v1/jobs/${id}/log`],
    ['GET', `/v1/jobs/${id}/output`],
    ['POST', `/v1/jobs/${id}/cancel`],
    ['POST', `/v1/jobs/${id}/retry`],
    ['DELETE', `/v1/jobs/${id}`],
    ['GET', '/v1/types'],
    ['GET', '/v1/queues'],
    ['POST', '/v1/queues/work/pause'],
    ['POST', '/v1/queues/work/resume'],
    ['GET', '/v1/queues/work'],
    ['GET', '/v1/workers'],
    ['DELETE', `/v1/tokens/${randomUUID()}`],
    ['POST', '/v1/tickets', { job: id }],
  ];
}

function readiness({ api }: Stage) {
  return call<{ ready: boolean; checks: { redis: string } }>(api.url, 'GET', '/readyz');
}

test.each(Object.keys(FAULTS))(
  'while Redis %s every route that needs it says so, and works again after',
  async (name) => {
    await using server = await startRedis();
    await using sandbox = await openSandbox(server.url);
    await using proxy = await openProxy([server.url]);
    await createRegistry({ redis: await sandbox.connect(), prefix: sandbox.prefix }).publish([TYPE]);
    await using api = await startService('api', {
      REDIS_URL: proxy.url.replace('http:', 'redis:'),
      SPILLWAY_PREFIX: sandbox.prefix,
      SPILLWAY_PORT: '0',
    });
    const id = await until('a job', async () => (await call<Job>(api.url, 'POST', '/v1/jobs', BODY)).body.id);
    const stage = { server, proxy, api, id };
    const fault = FAULTS[name] as Fault;
    await until('api to be ready', async () => (await readiness(stage)).status === 200);

    await fault.begin(stage);
    const replies = await Promise.all(
      requests(stage.id).map(async ([method, path, sent]) => {
        const reply = await call<{ code: string; detail: string }>(api.url, method, path, sent);
        return { request: `${method} ${path}`, ...reply };
      }),
    );
    const during = await readiness(stage);
    await fault.end?.(stage);
    for (const { request, status, headers, body: problem } of replies) {
      expect({ request, status, code: problem.code }).toEqual({ request, status: 503, code: 'unavailable' });
      expect(headers.get('retry-after')).toBe('1');
    }

    // A connection that died is replaced meanwhile, and the new one is good.
    if (fault.end) expect(during.status).toBe(503);
    await until('api to be ready', async () => (await readiness(stage)).status === 200);
    await until('jobs to be taken', async () => (await call(api.url, 'POST', '/v1/jobs', BODY)).status === 202);
    expect(await api.stop()).toEqual({ code: 0, signal: null });
  },
);

test.each(['is killed', 'hangs'])('api stops in time while Redis %s', async (name) => {
  await using server = await startRedis();
  await using proxy = await openProxy([server.url]);
  await using api = await startService('api', { REDIS_URL: server.url, SPILLWAY_PORT: '0' });
  const fault = FAULTS[name] as Fault;
  const stage = { server, proxy, api, id: '' };
  await fault.begin(stage);
  const ended = await api.stop();
  await fault.end?.(stage);
  expect(ended).toEqual({ code: 0, signal: null });
});

test('api refuses to start with a Redis that may lose jobs where SPILLWAY_PRODUCTION is set, and warns otherwise', async () => {
  await using server = await startRedis();
  await (await server.connect()).config('SET', 'maxmemory-policy', 'allkeys-lru');
  const env = { REDIS_URL: server.url, SPILLWAY_PORT: '0' };
  await expect(startService('api', { ...env, SPILLWAY_PRODUCTION: 'true' })).rejects.toThrow(
    /ended with 2[\s\S]*REDIS_URL: expected maxmemory-policy noeviction, got allkeys-lru/,
  );
  await using api = await startService('api', env);
  expect(api.output()).toContain('expected maxmemory-policy noeviction, got allkeys-lru');
});
