import type { SubmitReply } from '@spillway/contracts';
import { call, openProxy, openSandbox, startSpillway, until } from '@spillway/testkit';
import { connect } from './watcher.ts';

test('a watcher sees the end though the connections of its status to Redis died without a word', async () => {
  await using sandbox = await openSandbox();
  await using proxy = await openProxy([sandbox.redisUrl]);
  const statusEnv = { REDIS_URL: proxy.url.replace('http:', 'redis:') };
  await using spillway = await startSpillway({ statusEnv, env: { WORKER_QUEUES: 'demo' } });
  await call(spillway.url, 'POST', '/v1/queues/demo/pause');
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type: 'demo.noop' });
  await using watcher = await connect(spillway.status.url);
  await watcher.watch(body.id);
  proxy.silence();
  await call(spillway.url, 'POST', '/v1/queues/demo/resume');
  const ended = () => watcher.events.some((event) => event.kind === 'state' && event.state === 'completed');
  await until('the end', ended, 30_000);
  expect(watcher.socket.connected).toBe(true);
});
