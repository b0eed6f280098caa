import { Counter, createRegistry, Gauge, type Registry } from '@spillway/runtime';
import type { View } from './autoscaler.ts';

export interface AutoscalerMetrics {
  registry: Registry;
  saw(view: View): void;
  failed(): void;
}

/** What the autoscaler sees and does, counted. docs/scaling.md says what each is. */
export function createMetrics(): AutoscalerMetrics {
  const registry = createRegistry('autoscaler');
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name: `spillway_autoscaler_${name}`, help, registers });
  const running = gauge('running_workers', 'Workers that are there.');
  const advised = gauge('advised_workers', 'Workers that api advised last.');
  const wanted = gauge('wanted_workers', 'Workers that there should be, after limits and cooldown.');
  const decisions = new Counter({
    name: 'spillway_autoscaler_decisions_total',
    help: 'Decisions: up, down, cooldown, steady or stale.',
    labelNames: ['reason'],
    registers,
  });
  const failures = new Counter({
    name: 'spillway_autoscaler_failures_total',
    help: 'Times that api gave no advice or workers could not be scaled.',
    registers,
  });
  return {
    registry,
    saw(view) {
      running.set(view.running);
      wanted.set(view.wanted);
      if (view.advised !== undefined) advised.set(view.advised);
      decisions.inc({ reason: view.reason });
    },
    failed: () => failures.inc(),
  };
}
