import type { Redis } from '@spillway/bullmq';
import { type Conclude, createConclude } from '../producer/completion.ts';
import { createProducer } from '../producer/index.ts';

/** Submits what follows batches whose last job has ended here. One for all consumers of a process. */
export interface BatchConclusions {
  readonly conclude: Conclude;
  /** To be called once the consumers have stopped. */
  close(): Promise<void>;
}

/** On the connection of the consumers; opens nothing before the first batch has ended. */
export function concludeBatches(setup: {
  redis: Redis;
  prefix: string;
  onError: (error: Error) => void;
}): BatchConclusions {
  const { redis, prefix } = setup;
  const producer = createProducer(setup);
  return { conclude: createConclude({ redis, prefix, submit: producer.submit }), close: () => producer.close() };
}
