import { CancelledError, type JobEvent } from '@spillway/contracts';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import type { ConsumerSetup, Lease, Outcome } from '../src/consumer/index.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, connectOver, consume, gate, openFeed, openQueue } from './fixture.ts';
import { standIn } from './lines.ts';

const CANCELLED = { code: 'cancelled', message: 'cancelled by ann: a mistake' };

/** A job that runs `handler`, cancelled by ann once it has started. */
async function cancelRunning(
  sandbox: Sandbox,
  handler: (lease: Lease) => Promise<Outcome>,
  { options = {}, setup = {} }: { options?: object; setup?: Partial<ConsumerSetup> } = {},
) {
  const queue = await openQueue(sandbox);
  const { events, feed } = await openFeed(sandbox);
  const started = gate<Lease>();
  const consumer = await consume(
    sandbox,
    (lease) => {
      started.open(lease);
      return handler(lease);
    },
    setup,
  );
  const { id } = await queue.submit({}, options);
  await feed.follow(id);
  const lease = await started.opened;
  expect(await queue.producer.cancel(id, 'ann', { reason: 'a mistake' })).toEqual({ done: true });
  const end = () =>
    until('the end', async () => ((await queue.reader.job(id)).finishedAt ? queue.reader.job(id) : undefined));
  return { ...queue, consumer, id, events, lease, end };
}

/** Rejects with the signal's reason, as fetch and the like do. */
function aborted({ signal }: Lease): Promise<Error> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason as Error);
    signal.addEventListener('abort', () => resolve(signal.reason as Error));
  });
}

const failed: Outcome = { kind: 'failed', error: { code: 'handler_failed', message: 'stopped' }, retry: true };

test.each([1, 5])(
  'a handler is told who cancels and why; when it then fails its job of %i attempts is cancelled',
  async (attempts) => {
    await using sandbox = await openSandbox();
    const told = gate<Error>();
    const { end } = await cancelRunning(
      sandbox,
      async (lease) => {
        told.open(await aborted(lease));
        return failed;
      },
      { options: { attempts } },
    );
    const reason = await told.opened;
    expect(reason).toBeInstanceOf(CancelledError);
    expect(reason).toMatchObject({
      name: 'CancelledError',
      message: 'cancelled by ann: a mistake',
      by: 'ann',
      reason: 'a mistake',
    });
    expect(await end()).toMatchObject({
      state: 'cancelled',
      attempt: 1,
      error: CANCELLED,
      cancel: { by: 'ann', reason: 'a mistake' },
    });
  },
);

test('a handler that finishes its work in spite of the cancel has completed it', async () => {
  await using sandbox = await openSandbox();
  const { end, producer, id } = await cancelRunning(sandbox, async (lease) => {
    await aborted(lease);
    return { kind: 'completed', result: 'done all the same' };
  });
  expect(await end()).toMatchObject({ state: 'completed', result: 'done all the same', cancel: { by: 'ann' } });
  await expect(producer.cancel(id, 'bob')).rejects.toMatchObject({ code: 'job_final' });
});

test('a deaf handler is given up after the grace time, its slot is free, and nothing that it says later counts', async () => {
  await using sandbox = await openSandbox();
  const late = gate();
  const done = gate();
  const deaf = async ({ reports }: Lease): Promise<Outcome> => {
    reports.log('before');
    await late.opened;
    for (let n = 0; n < 5; n += 1) {
      reports.log('from the grave');
      reports.output('from the grave');
      reports.progress({ fraction: 0.9 });
    }
    await reports.flush();
    done.open();
    return { kind: 'completed', result: 'from the grave' };
  };
  const { end, id, reader, events, submit, redis, prefix } = await cancelRunning(
    sandbox,
    (lease) => (lease.input === 'next' ? Promise.resolve(COMPLETED) : deaf(lease)),
    { setup: { concurrency: 1, cancelGraceMs: () => 50 } },
  );
  expect(await end()).toMatchObject({ state: 'cancelled', error: CANCELLED });
  const next = await submit('next');
  await until('the next job', async () => (await reader.job(next.id)).state === 'completed');
  late.open();
  await done.opened;
  const after = await reader.snapshot(id);
  expect(after).toMatchObject({ job: { state: 'cancelled' }, log: [{ line: 'before' }], output: [] });
  expect(after.job.progress).toBeUndefined();
  expect(JSON.stringify(events)).not.toContain('grave');
  expect(await standIn(redis, prefix, id)).toEqual(['failed']);
});

test('a handler that floods its log for ever is given up all the same', async () => {
  await using sandbox = await openSandbox();
  let stop = false;
  sandbox.defer(() => {
    stop = true;
  });
  const { end } = await cancelRunning(
    sandbox,
    async ({ reports }) => {
      while (!stop) {
        for (let n = 0; n < 600; n += 1) reports.log('more');
        await new Promise(setImmediate);
      }
      return COMPLETED;
    },
    { setup: { cancelGraceMs: () => 0 } },
  );
  expect(await end()).toMatchObject({ state: 'cancelled' });
});

test('of a job that is cancelled while its attempt fails on its own nothing is tried again', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader } = await openQueue(sandbox);
  const fail = gate();
  const started = gate();
  let starts = 0;
  await consume(sandbox, async () => {
    starts += 1;
    started.open();
    await fail.opened;
    return failed;
  });
  const { id } = await submit({}, { attempts: 3, backoff: { type: 'fixed', delayMs: 60_000 } });
  await started.opened;
  // Both in one turn: the worker has had no time to look.
  const cancelled = producer.cancel(id, 'ann');
  fail.open();
  expect(await cancelled).toEqual({ done: true });
  await until('the end', async () => (await reader.job(id)).state === 'cancelled');
  expect(starts).toBe(1);
});

test('a mark that its worker did not live to see ends the job where the lease runs out, and no handler starts', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader, redis, prefix } = await openQueue(sandbox);
  const keys = queueKeys(prefix, 'work');
  const { id } = await submit();
  // As a worker leaves a job that dies: active, started once, the lease about to run out.
  await redis
    .multi()
    .rpoplpush(keys.wait, keys.active)
    .hset(keys.job(id), 'ats', 1, 'processedOn', Date.now())
    .set(`${keys.job(id)}:lock`, 'dead')
    .exec();
  expect(await producer.cancel(id, 'ann')).toEqual({ done: true });
  await redis.del(`${keys.job(id)}:lock`);
  // As the engine's check does.
  await redis.multi().lrem(keys.active, 0, id).rpush(keys.wait, id).zadd(keys.marker, 0, '0').exec();
  let starts = 0;
  await consume(sandbox, async () => {
    starts += 1;
    return COMPLETED;
  });
  await until('the end', async () => (await reader.job(id)).finishedAt);
  expect(await reader.job(id)).toMatchObject({ state: 'cancelled', error: { message: 'cancelled by ann' } });
  expect(starts).toBe(0);
});

test('a job whose lease has run out is ended at once, and the check for lost workers leaves it so', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader, redis, prefix } = await openQueue(sandbox);
  const keys = queueKeys(prefix, 'work');
  const { id } = await submit();
  await redis
    .multi()
    .rpoplpush(keys.wait, keys.active)
    .hset(keys.job(id), 'ats', 1, 'processedOn', Date.now())
    .sadd(`${keys.base}stalled`, id)
    .exec();
  expect(await producer.cancel(id, 'ann')).toEqual({ done: true });
  expect((await reader.job(id)).state).toBe('cancelled');
  const ran: string[] = [];
  await consume(sandbox, async (lease) => {
    ran.push(lease.id);
    return COMPLETED;
  });
  const other = await submit();
  await until('the other job', async () => (await reader.job(other.id)).state === 'completed');
  expect(ran).toEqual([other.id]);
  expect(await standIn(redis, prefix, id)).toEqual(['failed']);
});

test.each(['seen', 'not seen'])(
  'a stopping worker that has %s the mark ends the job as cancelled instead of handing it back',
  async (how) => {
    await using sandbox = await openSandbox();
    const { consumer, lease, end } = await cancelRunning(sandbox, () => new Promise(() => undefined), {
      setup: { cancelGraceMs: () => 60_000 },
    });
    if (how === 'seen') await aborted(lease);
    await consumer.stop(0);
    expect(await end()).toMatchObject({ state: 'cancelled' });
  },
);

test('jobs that nobody cancels are not looked at one by one', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const redis = await connectOver(sandbox.redisUrl, sandbox, 'worker');
  const looks: string[][] = [];
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, ...rest) => {
    looks.push([command.name, ...command.args.map(String)]);
    return send(command, ...rest);
  };
  const finish = gate();
  await consume(
    sandbox,
    async () => {
      await finish.opened;
      return COMPLETED;
    },
    { redis },
  );
  await submit();
  await until(
    'two looks',
    () => looks.filter(([name, key]) => name === 'exists' && key?.endsWith(':cancelling')).length >= 2,
  );
  expect(looks.filter(([name]) => name === 'hget')).toEqual([]);
  finish.open();
});

const isEnd = (event: JobEvent) => event.kind === 'state' && ['completed', 'failed', 'cancelled'].includes(event.state);

test('of a cancel at the moment of completion exactly one wins, and both sides are told the same', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader, redis } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const running = new Map<string, { finish: () => void; lease: Lease }>();
  await consume(
    sandbox,
    (lease) =>
      new Promise((resolve) => {
        running.set(lease.id, { lease, finish: () => resolve({ kind: 'completed', result: lease.id }) });
      }),
    { concurrency: 400, cancelGraceMs: () => 1 },
  );
  const ids = (await Promise.all(Array.from({ length: 400 }, () => submit()))).map(({ id }) => id);
  for (const id of ids) await feed.follow(id);
  await until('all to run', () => running.size === ids.length);

  const cancel = (id: string) =>
    producer.cancel(id, 'ann').then(
      ({ done }) => (done ? 'done' : 'nothing'),
      (error: { code: string }) => error.code,
    );
  /** One side goes first by as many round trips as `n` says, up to none; or the handler finishes as it hears of the cancel. */
  async function race(id: string, n: number): Promise<string> {
    const { finish, lease } = running.get(id)!;
    const trips = async () => {
      for (let trip = 0; trip < n % 12; trip += 1) await redis.ping();
    };
    if (n % 3 === 0) {
      finish();
      await trips();
      return cancel(id);
    }
    const cancelling = cancel(id);
    if (n % 3 === 1) await trips();
    else if (n % 2) await aborted(lease).then(() => new Promise((resolve) => setTimeout(resolve, n % 4)));
    if (n % 6 !== 2) finish();
    return cancelling;
  }
  const told = await Promise.all(ids.map(race));
  await until('all ends', () => events.filter(isEnd).length >= ids.length, 30_000);
  const outcomes = new Set<string>();
  for (const [n, id] of ids.entries()) {
    const job = await reader.job(id);
    expect(events.filter((event) => event.job === id && isEnd(event))).toMatchObject([{ state: job.state }]);
    if (job.state === 'cancelled') expect(job).toMatchObject({ error: { message: 'cancelled by ann' } });
    else expect(job).toMatchObject({ state: 'completed', result: id });
    outcomes.add(`${told[n]}: ${job.state}`);
  }
  // A refusal means that it had completed; whoever was told that the cancel was taken may still see it completed.
  expect([...outcomes].sort()).toEqual(['done: cancelled', 'done: completed', 'job_final: completed']);
});
