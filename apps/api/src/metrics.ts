import type { JobType } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import type { Registry as WorkerRegistry } from '@spillway/queue/registry';
import { Counter, createRegistry, Gauge, Histogram, type Registry } from '@spillway/runtime';

export interface Metrics {
  registry: Registry;
  requests: Histogram<'method' | 'route' | 'status'>;
  countSubmit(type: JobType): void;
}

export interface QueueSource {
  queues: () => Promise<string[]>;
  reader: Reader;
  workers: WorkerRegistry;
}

/** Jobs in each state and workers alive are read when somebody asks, so they cost nothing in between. */
export function createMetrics({ queues, reader, workers }: QueueSource): Metrics {
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
