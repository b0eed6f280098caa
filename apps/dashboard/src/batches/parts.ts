import type { Batch } from '@spillway/client';

/** How the jobs of a batch stand, in the order in which its bar shows them. */
export const PARTS = ['completed', 'failed', 'cancelled', 'removed', 'active', 'waiting'] as const;
export type Part = (typeof PARTS)[number];

/** How many jobs stand in which way; together they are all of them. Pure. */
export function partsOf({ completed, failed, cancelled, removed, active, open }: Batch): Record<Part, number> {
  return { completed, failed, cancelled, removed, active, waiting: open - active };
}

/** How much of a batch has ended, from 0 to 1. Pure. */
export function endedFraction({ total, open }: Batch): number {
  return total === 0 ? 0 : (total - open) / total;
}
