import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { startFixture } from './fixture-process.ts';

function start(way: string, env: Record<string, string> = {}) {
  return startFixture('service.ts', [way], env);
}

test('a service tells its parent when it is ready, and where it answers', async () => {
  await using service = start('good');
  expect(await service.message).toEqual({ kind: 'ready', url: 'http://127.0.0.1:1' });
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops it gracefully with exit code 0', async (signal) => {
  await using service = start('good');
  await service.message;
  service.child.kill(signal);
  expect(await service.ended).toBe(0);
  expect(service.stdout()).toContain(`"signal":"${signal}","msg":"stopping"`);
  expect(service.stdout()).toContain('cleaned up');
  expect(service.stdout()).toContain('"msg":"stopped"');
});

test('it stops gracefully when its parent is gone', async () => {
  await using service = start('good');
  await service.message;
  service.child.disconnect();
  expect(await service.ended).toBe(0);
  expect(service.stdout()).toContain('cleaned up');
});

test('it does not start when its parent was gone before it could', async () => {
  await using service = start('is an orphan');
  expect(await service.ended).toBe(0);
  expect(service.stdout()).toBe('');
});

test('a second signal cuts a stop short, which still ends well', async () => {
  await using service = start('hurries');
  await service.message;
  service.child.kill('SIGTERM');
  await service.wrote('cleaning up');
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
  expect(service.stdout()).toContain('cleaned up');
});

test('a stop that cannot be cut short ends all the same, with exit code 1', async () => {
  await using service = start('cannot hurry');
  await service.message;
  service.child.kill('SIGTERM');
  await service.wrote('cleaning up');
  service.child.kill('SIGTERM');
  await service.wrote('no faster');
  expect(await service.ended).toBe(1);
  expect(service.stdout()).not.toContain('ending at once');
});

test('a third signal ends it at once', async () => {
  await using service = start('cannot hurry');
  await service.message;
  service.child.kill('SIGTERM');
  await service.wrote('cleaning up');
  service.child.kill('SIGTERM');
  await service.wrote('no faster');
  service.child.kill('SIGINT');
  expect(await service.ended).toBe(1);
  expect(service.stdout()).toContain('"signal":"SIGINT","msg":"ending at once"');
});

test('a signal ends it while it prepares, whatever it is busy with', async () => {
  await using service = start('prepares for ever');
  await service.wrote('preparing');
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe('SIGTERM');
});

test('a signal ends it while it starts, however long that would have taken', async () => {
  await using service = start('starts for ever');
  await service.wrote('starting');
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
});

test('a second signal ends a service that cannot hurry at once with exit code 1', async () => {
  await using service = start('stops slowly');
  await service.message;
  service.child.kill('SIGTERM');
  await service.wrote('cleaning up');
  service.child.kill('SIGINT');
  expect(await service.ended).toBe(1);
});

test('the loss of the parent after a signal does not cut the stop short, and does not stop it twice', async () => {
  await using service = start('stops slowly');
  await service.message;
  service.child.kill('SIGTERM');
  await service.wrote('cleaning up');
  service.child.disconnect();
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(1);
  expect(service.stdout().match(/cleaning up/g)).toHaveLength(1);
});

test('a stop that takes too long is cut short with exit code 1', async () => {
  await using service = start('stops slowly', { STOP_MS: '10' });
  await service.message;
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(1);
  expect(service.stdout()).toContain('killed by timeout (10ms)');
});

test('a stop that fails is logged and ends with exit code 1', async () => {
  await using service = start('fails to stop');
  await service.message;
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(1);
  expect(service.stdout()).toContain('will not stop');
});

test('an error that nothing handles is logged, stops it gracefully and ends with exit code 1', async () => {
  await using service = start('throws later');
  expect(await service.ended).toBe(1);
  expect(service.stdout()).toContain('out of the blue');
  expect(service.stdout()).toContain('cleaned up');
});

test('a wrong environment ends with exit code 2 and all problems on stderr', async () => {
  await using service = start('good', { SPILLWAY_PORT: 'http', SPILLWAY_LOG_LEVEL: 'loud', REDIS_URL: 'secret-url' });
  expect(await service.ended).toBe(2);
  expect(service.stderr().trimEnd().split('\n')).toEqual([
    'The configuration cannot be used:',
    '  - REDIS_URL: expected a URL that begins with redis:// or rediss://, got something else',
    '  - SPILLWAY_PORT: expected a whole number from 0 to 65535, got "http"',
    '  - SPILLWAY_LOG_LEVEL: expected one of fatal, error, warn, info, debug, trace, silent, got "loud"',
  ]);
  expect(service.stdout()).toBe('');
});

test('a configuration that the service itself refuses ends with exit code 2 too', async () => {
  await using service = start('is misconfigured');
  expect(await service.ended).toBe(2);
  expect(service.stderr()).toBe(
    'The configuration cannot be used:\n  - FIRST: expected this\n  - SECOND: expected that\n',
  );
});

test('a failed start ends with exit code 1 and says why', async () => {
  await using service = start('cannot start');
  expect(await service.ended).toBe(1);
  expect(service.stderr()).toBe('fixture: could not start: no such luck\n');
});

test('a port that is taken is named', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    await using service = start('takes a port', { SPILLWAY_PORT: String(port) });
    expect(await service.ended).toBe(1);
    expect(service.stderr()).toBe(
      `fixture: 127.0.0.1:${port} is taken by another program; stop it or choose another port\n`,
    );
  } finally {
    other.close();
  }
});
