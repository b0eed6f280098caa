import { Queue } from '@spillway/bullmq';
import type { JobEvent, Snapshot, WatchedJob } from '@spillway/contracts';
import { applyEvent, SpillwayError } from '@spillway/contracts';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { engineName, queueKeys } from '../src/engine/keys.ts';
import type { Reader } from '../src/reader/index.ts';
import { COMPLETED, consume, openFeed, openQueue, TYPE } from './fixture.ts';

/** Jobs of one test: enough for the moments to spread over everything that can overlap. */
const JOBS = 200;
const PRESET = `work.${'0'.repeat(25)}1`;

async function openAll(sandbox: Sandbox) {
  return { ...(await openQueue(sandbox)), ...(await openFeed(sandbox)) };
}

/** As status does it: follow first, look second. Undefined where there is no such job. */
async function join(
  follow: (id: string) => Promise<unknown>,
  reader: Reader,
  id: string,
): Promise<Snapshot | undefined> {
  await follow(id);
  return reader.snapshot(id).catch((error: unknown) => {
    if (error instanceof SpillwayError && error.code === 'job_not_found') return undefined;
    throw error;
  });
}

function fold(snapshot: Snapshot, events: readonly JobEvent[]): WatchedJob {
  return events.reduce(applyEvent, snapshot);
}

test('a job that is followed before it exists is told from its first moment', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, reader, feed, events } = await openAll(sandbox);
  expect(await join((id) => feed.follow(id), reader, PRESET)).toBeUndefined();
  const queue = new Queue(engineName(TYPE.queue), { connection: redis, prefix, skipMetasUpdate: true });
  sandbox.defer(() => queue.close());
  await queue.add(TYPE.type, {}, { jobId: PRESET });
  await consume(sandbox, async () => COMPLETED);
  const told = () => events.flatMap((event) => (event.kind === 'state' ? [event.state] : []));
  await until('the end', () => told().includes('completed'));
  expect(told()).toEqual(['waiting', 'active', 'completed']);
});

test.each(['before its last words', 'with its end', 'one turn after its end'])(
  'whoever joins a job %s sees its end and every line',
  async (moment) => {
    await using sandbox = await openSandbox();
    const { submit, reader, feed, events } = await openAll(sandbox);
    const joined = new Map<string, Promise<Snapshot | undefined>>();
    await consume(
      sandbox,
      async ({ id, reports }) => {
        const joinNow = () =>
          joined.set(
            id,
            join((job) => feed.follow(job), reader, id),
          );
        reports.log('first');
        if (moment === 'before its last words') joinNow();
        reports.log('last');
        if (moment === 'with its end') process.nextTick(joinNow);
        if (moment === 'one turn after its end') setImmediate(joinNow);
        return COMPLETED;
      },
      { concurrency: 20 },
    );
    await Promise.all(Array.from({ length: JOBS }, () => submit()));
    await until('every job', () => joined.size === JOBS);
    for (const [id, joining] of joined) {
      const snapshot = await joining;
      if (!snapshot) throw new Error(`expected job ${id} to be there`);
      const held = await until('its end', () => {
        const now = fold(snapshot, events);
        return now.job.state === 'completed' && now;
      });
      expect((held as WatchedJob).log.map(({ line }) => line)).toEqual(['first', 'last']);
    }
  },
);

test('whoever joins a job while it is removed finds none, or is told', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader, feed, events } = await openAll(sandbox);
  const jobs = await Promise.all(Array.from({ length: JOBS }, () => submit({}, { delayMs: 60_000 })));
  const joins = jobs.map(async ({ id }) => {
    const [snapshot] = await Promise.all([join((job) => feed.follow(job), reader, id), producer.remove(id)]);
    return { id, snapshot };
  });
  for (const { id, snapshot } of await Promise.all(joins)) {
    if (snapshot) await until('its removal', () => fold(snapshot, events).removed);
    else expect(await join((job) => feed.follow(job), reader, id)).toBeUndefined();
  }
});

test('a reader that was trimmed past in one step says so before it tells what came after', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix, feed, events, gaps } = await openAll(sandbox);
  const { id } = await submit();
  await feed.follow(id);
  const stream = queueKeys(prefix, TYPE.queue).events;
  // Once something was heard, the reader is past its first look and waits for more.
  await redis.xadd(stream, '*', 'event', 'waiting', 'jobId', id);
  await until('the first event', () => events.splice(0).length > 0);
  const burst = redis.multi();
  for (let n = 0; n < 700; n += 1) burst.xadd(stream, '*', 'event', 'active', 'jobId', id);
  await burst.xtrim(stream, 'MAXLEN', 600).exec();
  await until('the gap', () => gaps.length > 0);
  expect(events).toEqual([]);
  await redis.xadd(stream, '*', 'event', 'waiting', 'jobId', id);
  await until('what follows', () => events.length > 0);
  expect({ gaps, events }).toMatchObject({ gaps: ['history was trimmed'], events: [{ state: 'waiting' }] });
});
