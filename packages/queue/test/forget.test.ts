import { openSandbox, until } from '@spillway/testkit';
import { sweep } from '../src/consumer/forget.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { openQueues } from '../src/engine/queue-handles.ts';
import { COMPLETED, consume, openQueue, TYPE } from './fixture.ts';

const DAY_MS = 86_400_000;

test('what ended a day ago, or failed a week ago, is forgotten, and nothing else', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, producer, redis, prefix } = await openQueue(sandbox);
  const keys = queueKeys(prefix, TYPE.queue);
  const [oldDone, newDone] = [await submit(), await submit()];
  await consume(sandbox, async () => COMPLETED);
  await until('both ends', async () => (await reader.queue(TYPE.queue)).counts.completed === 2);
  const [oldCancelled, newCancelled, waiting] = [
    await submit({}, { delayMs: DAY_MS }),
    await submit({}, { delayMs: DAY_MS }),
    await submit({}, { delayMs: DAY_MS }),
  ];
  await producer.cancel(oldCancelled.id, 'ann');
  await producer.cancel(newCancelled.id, 'ann');
  const end = (id: string, days: number, key: string) =>
    redis
      .multi()
      .zadd(key, Date.now() - days * DAY_MS, id)
      .hset(keys.job(id), 'finishedOn', Date.now() - days * DAY_MS)
      .exec();
  await end(oldDone.id, 1.1, keys.completed);
  await end(oldCancelled.id, 7.1, keys.failed);
  await end(newCancelled.id, 6.9, keys.failed);

  const queues = openQueues(redis, prefix, () => undefined);
  sandbox.defer(() => queues.close());
  await sweep(queues.get(TYPE.queue), redis, keys);

  for (const { id } of [oldDone, oldCancelled])
    await expect(reader.job(id)).rejects.toMatchObject({ code: 'job_not_found' });
  for (const { id } of [newDone, newCancelled, waiting]) expect((await reader.job(id)).id).toBe(id);
});
