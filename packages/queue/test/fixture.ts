import type { JobEvent, JobType } from '@spillway/contracts';
import type { Sandbox } from '@spillway/testkit';
import { type Consumer, type ConsumerSetup, createConsumer, type Lease, type Outcome } from '../src/consumer/index.ts';
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
  const consumer = createConsumer({
    queue: TYPE.queue,
    redis,
    prefix: sandbox.prefix,
    workerId: 'w1',
    concurrency: 10,
    run,
    onError: ignore,
    ...setup,
  });
  sandbox.defer(() => consumer.stop(0));
  await consumer.ready();
  return consumer;
}

/** A feed that keeps all it hears. */
export async function openFeed(
  sandbox: Sandbox,
): Promise<{ feed: Feed; events: JobEvent[]; gaps: string[]; errors: Error[] }> {
  const events: JobEvent[] = [];
  const gaps: string[] = [];
  const errors: Error[] = [];
  const feed = createFeed({
    reads: await sandbox.connect('feed'),
    commands: await sandbox.connect(),
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
