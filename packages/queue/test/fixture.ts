import type { JobEvent, JobType } from '@spillway/contracts';
import type { Sandbox } from '@spillway/testkit';
import { type ConnectionRole, connectRedis, type Redis } from '../src/connection.ts';
import {
  type Consumer,
  type ConsumerSetup,
  concludeBatches,
  createConsumer,
  type Lease,
  type Outcome,
} from '../src/consumer/index.ts';
import { createFeed, type Feed } from '../src/feed/index.ts';
import { createProducer } from '../src/producer/index.ts';
import { createReader } from '../src/reader/index.ts';

/** The type that these tests submit. */
export const TYPE: JobType = { type: 'test.work', queue: 'work', input: {}, defaults: {} };

export const COMPLETED: Outcome = { kind: 'completed', result: null };

/** Producer and reader on one connection of the sandbox. */
export async function openQueue(sandbox: Sandbox) {
  const redis = await sandbox.connect();
  const { prefix } = sandbox;
  const producer = createProducer({ redis, prefix, onError: ignore });
  const reader = createReader({ redis, prefix });
  sandbox.defer(() => producer.close());
  return {
    redis,
    prefix,
    producer,
    reader,
    submit: (input: unknown = {}, options = {}, type = TYPE) => producer.submit({ type, input, options }),
  };
}

/** A consumer that runs `run` for every job; stopped at the end of the test. */
export async function consume(
  sandbox: Sandbox,
  run: (lease: Lease) => Promise<Outcome>,
  setup: Partial<ConsumerSetup> = {},
): Promise<Consumer> {
  const redis = await sandbox.connect('worker');
  const batches = concludeBatches({ redis, prefix: sandbox.prefix, onError: ignore });
  const consumer = createConsumer({
    queue: TYPE.queue,
    redis,
    prefix: sandbox.prefix,
    workerId: 'w1',
    concurrency: 10,
    run,
    batches,
    onError: ignore,
    ...setup,
  });
  sandbox.defer(() => consumer.stop(0).then(batches.close));
  await consumer.ready();
  return consumer;
}

/** A connection over `url`, a proxy's; closed at the end. */
export async function connectOver(url: string, sandbox: Sandbox, role: ConnectionRole = 'command'): Promise<Redis> {
  const redis = connectRedis(url, role, sandbox.prefix, ignore);
  sandbox.defer(() => redis.disconnect());
  if (redis.status !== 'ready') await new Promise((resolve) => redis.once('ready', resolve));
  return redis;
}

/** A feed that keeps all it hears. It looks for gaps often when its connection is said to die of a short silence. */
export async function openFeed(
  sandbox: Sandbox,
  { reads, commands, silenceMs }: { reads?: Redis; commands?: Redis; silenceMs?: number } = {},
): Promise<{ feed: Feed; events: JobEvent[]; gaps: string[]; errors: Error[] }> {
  const events: JobEvent[] = [];
  const gaps: string[] = [];
  const errors: Error[] = [];
  const reader = reads ?? (await sandbox.connect('feed'));
  if (silenceMs !== undefined) reader.options.socketTimeout = silenceMs;
  const feed = createFeed({
    reads: reader,
    commands: commands ?? (await sandbox.connect()),
    prefix: sandbox.prefix,
    listener: { onEvents: (heard) => events.push(...heard), onGap: (_jobs, why) => gaps.push(why) },
    onError: (error) => errors.push(error),
  });
  sandbox.defer(() => feed.close());
  return { feed, events, gaps, errors };
}

/** A promise to settle from outside. */
export function gate<T = void>() {
  let open: (value: T) => void = () => undefined;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** Trouble that a test expects is asserted by what it leads to; the connection's own reports are of no interest here. */
function ignore(): void {}
