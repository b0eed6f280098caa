import type { SetTarget } from '@spillway/contracts';

/** What jobs are found and watched by, beside their id and their queue. */
export interface Labels {
  tags?: string[] | undefined;
  batch?: string | undefined;
  tenant?: string | undefined;
  schedule?: string | undefined;
}

/** Everything with one label that can be watched. */
export type WatchedLabel = SetTarget | { tenant: string };
/** Everything with one label. */
export type LabelTarget = WatchedLabel | { schedule: string };

/** The labels of a job, or undefined where it has none. Pure. */
export function labelsOf({ tags, batch, tenant, schedule }: Labels): Labels | undefined {
  if (!tags?.length && !batch && !tenant && !schedule) return undefined;
  return {
    ...(tags?.length && { tags }),
    ...(batch && { batch }),
    ...(tenant && { tenant }),
    ...(schedule && { schedule }),
  };
}

/** The sets that a job with these labels belongs to. Pure. */
export function targetsOf({ tags = [], batch, tenant }: Labels): WatchedLabel[] {
  return [...tags.map((tag) => ({ tag })), ...(batch ? [{ batch }] : []), ...(tenant ? [{ tenant }] : [])];
}

/** The indexes that a job with these labels is in. Pure. */
export function indexesOf(labels: Labels): LabelTarget[] {
  return [...targetsOf(labels), ...(labels.schedule ? [{ schedule: labels.schedule }] : [])];
}

/** The parts of a label's key. */
export function labelParts(target: LabelTarget): [kind: string, value: string] {
  if ('tag' in target) return ['tag', target.tag];
  if ('schedule' in target) return ['schedule', target.schedule];
  return 'batch' in target ? ['batch', target.batch] : ['tenant', target.tenant];
}
