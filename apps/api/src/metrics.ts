import type { JobType, QueueScaling } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import type { Registry as WorkerRegistry } from '@spillway/queue/registry';
import { Counter, createRegistry, Gauge, Histogram, type Registry } from '@spillway/runtime';
import type { ReadScaling } from './scaling.ts';

export interface Metrics {
  registry: Registry;
  requests: Histogram<'method' | 'route' | 'status'>;
  countSubmit(type: JobType): void;
}

export interface QueueSource {
  queues: () => Promise<string[]>;
  reader: Reader;
  workers: WorkerRegistry;
  scaling: ReadScaling;
}

/** Jobs in each state and workers alive are read when somebody asks, so they cost nothing in between. */
export function createMetrics({ queues, reader, workers, scaling }: QueueSource): Metrics {
  const registry = createRegistry('api');
  const registers = [registry];
  new Gauge({
    name: 'spillway_jobs',
    help: 'Jobs by queue and state; failed includes cancelled.',
    labelNames: ['queue', 'state'],
    registers,
    async collect() {
      for (const queue of await queues()) {
        const { counts } = await reader.queue(queue);
        for (const [state, count] of Object.entries(counts)) this.set({ queue, state }, count);
      }
    },
  });
  new Gauge({
    name: 'spillway_workers',
    help: 'Worker processes alive.',
    registers,
    async collect() {
      this.set((await workers.workers()).length);
    },
  });
  showScaling(scaling, registers);
  return {
    registry,
    requests: new Histogram({
      name: 'spillway_http_request_seconds',
      help: 'Time to answer, by route.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
      registers,
    }),
    countSubmit: createSubmitCount(registers),
  };
}

/** Of each queue, by the end of the name of its gauge. */
const SCALING: Record<string, { help: string; of: (queue: QueueScaling) => number }> = {
  backlog: { help: 'Jobs that may start at once.', of: ({ backlog }) => backlog },
  oldest_wait_seconds: {
    help: 'How long the next job to start has waited.',
    of: ({ oldestWaitMs }) => oldestWaitMs / 1000,
  },
  arrivals_per_second: {
    help: 'Jobs that came in the last ten seconds.',
    of: ({ arrivalsPerSecond }) => arrivalsPerSecond,
  },
  service_per_second: {
    help: 'Jobs that ended in the last ten seconds.',
    of: ({ servicePerSecond }) => servicePerSecond,
  },
  utilisation: { help: 'How much of the slots had a job, 0 to 1.', of: ({ utilisation }) => utilisation },
  slots: { help: 'Jobs that the workers of the queue run at once.', of: ({ slots }) => slots },
  workers: { help: 'Workers alive that serve the queue.', of: ({ workers }) => workers },
  advised_workers: {
    help: 'Workers that the queue needs for SPILLWAY_TARGET_WAIT_MS.',
    of: ({ advisedWorkers }) => advisedWorkers,
  },
};

/** All gauges of one scrape show the same look at the queues. */
function showScaling(scaling: ReadScaling, registers: Registry[]): void {
  let look: ReturnType<ReadScaling> | undefined;
  const once = () => {
    look ??= scaling().finally(() => {
      look = undefined;
    });
    return look;
  };
  for (const [name, { help, of }] of Object.entries(SCALING)) {
    new Gauge({
      name: `spillway_queue_${name}`,
      help,
      labelNames: ['queue'],
      registers,
      async collect() {
        this.reset();
        for (const queue of (await once()).queues) this.set({ queue: queue.name }, of(queue));
      },
    });
  }
}

/** Finding a series by its labels costs more than adding to it, so each type keeps its own. */
function createSubmitCount(registers: Registry[]): (type: JobType) => void {
  const counter = new Counter({
    name: 'spillway_jobs_submitted_total',
    help: 'Jobs accepted.',
    labelNames: ['type', 'queue'],
    registers,
  });
  const series = new Map<string, ReturnType<typeof counter.labels>>();
  return ({ type, queue }) => {
    const known = series.get(type) ?? counter.labels({ type, queue });
    series.set(type, known);
    known.inc();
  };
}
