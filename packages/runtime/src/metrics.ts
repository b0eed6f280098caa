import { collectDefaultMetrics, Registry } from 'prom-client';

export { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/**
 * How often the delay of the event loop is sampled. By prom-client's own 10 ms a process wakes a hundred times a second for
 * it, which was most of the CPU of api and of status while nothing happened.
 */
const LOOP_SAMPLED_MS = 100;

/** One registry a process, with Node's own figures and a `service` label on everything. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_SAMPLED_MS });
  return registry;
}
