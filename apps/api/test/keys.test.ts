import { createHash } from 'node:crypto';
import { call, openSandbox, startService, startSpillway } from '@spillway/testkit';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const KEYS = `web:submit+read:${sha256('sw_web')},ops:control+read:${sha256('sw_ops')},all:admin:${sha256('sw_all')}`;

test('keys open what their scopes name, and nothing else', async () => {
  await using spillway = await startSpillway({ workers: 1, env: { SPILLWAY_KEYS: KEYS } });
  const ask = async (key: string | undefined, method: string, path: string, body?: unknown) => {
    const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};
    return (await call(spillway.url, method, path, body, headers)).status;
  };
  const job = { type: 'demo.noop' };
  expect(await ask(undefined, 'GET', '/v1/jobs')).toBe(401);
  expect(await ask('sw_nope', 'GET', '/v1/jobs')).toBe(401);
  expect(await ask(sha256('sw_web'), 'GET', '/v1/jobs')).toBe(401);
  expect(await ask('sw_web', 'GET', '/v1/jobs')).toBe(200);
  expect(await ask('sw_web', 'POST', '/v1/jobs', job)).toBe(202);
  expect(await ask('sw_web', 'POST', '/v1/queues/demo/resume')).toBe(403);
  expect(await ask('sw_ops', 'POST', '/v1/jobs', job)).toBe(403);
  expect(await ask('sw_ops', 'POST', '/v1/queues/demo/resume')).toBe(200);
  expect(await ask('sw_all', 'POST', '/v1/jobs', job)).toBe(202);
  // A schedule submits, so steering it alone must not be a way to do so.
  const schedule = { type: 'demo.noop', cron: '@yearly' };
  expect(await ask('sw_ops', 'PUT', '/v1/schedules/s', schedule)).toBe(403);
  expect(await ask('sw_all', 'PUT', '/v1/schedules/s', schedule)).toBe(201);
  expect(await ask('sw_ops', 'POST', '/v1/schedules/s/trigger')).toBe(403);
  expect(await ask('sw_ops', 'POST', '/v1/schedules/s/pause')).toBe(200);
  expect(await ask(undefined, 'GET', '/metrics')).toBe(401);
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs/'])
    expect(await ask(undefined, 'GET', path)).toBe(200);
});

test('without keys an address other than loopback is refused, unless that is permitted, which is logged loudly', async () => {
  await using sandbox = await openSandbox();
  const env = {
    REDIS_URL: sandbox.redisUrl,
    SPILLWAY_PREFIX: sandbox.prefix,
    SPILLWAY_PORT: '0',
    SPILLWAY_STATUS_PORT: '0',
    SPILLWAY_HOST: '0.0.0.0',
  };
  for (const name of ['api', 'status'] as const) {
    await expect(startService(name, env)).rejects.toThrow(
      /ended with 2[\s\S]*SPILLWAY_HOST: expected a loopback address while no keys are set, got "0.0.0.0"/,
    );
    await using open = await startService(name, { ...env, SPILLWAY_ALLOW_OPEN: 'true' });
    expect(open.output()).toContain('OPEN TO ANYONE');
    await using locked = await startService(name, { ...env, SPILLWAY_KEYS: KEYS });
    expect(locked.output()).not.toContain('OPEN TO ANYONE');
  }
});

test('the log never shows a key', async () => {
  await using spillway = await startSpillway({ workers: 0, env: { SPILLWAY_KEYS: KEYS, SPILLWAY_LOG_LEVEL: 'trace' } });
  await call(spillway.url, 'POST', '/v1/jobs', { type: 'no.such' }, { authorization: 'Bearer sw_web' });
  await spillway.api.stop();
  expect(spillway.api.output()).not.toMatch(/sw_web|[0-9a-f]{64}/);
});
