import type { SetTarget } from '@spillway/contracts';

/** What jobs are found and watched by, beside their id and their queue. */
export interface Labels {
  tags?: string[] | undefined;
  batch?: string | undefined;
  tenant?: string | undefined;
}

/** Everything with one label. */
export type LabelTarget = SetTarget | { tenant: string };

/** The labels of a job, or undefined where it has none. Pure. */
export function labelsOf({ tags, batch, tenant }: Labels): Labels | undefined {
  if (!tags?.length && !batch && !tenant) return undefined;
  return { ...(tags?.length && { tags }), ...(batch && { batch }), ...(tenant && { tenant }) };
}

/** The sets that a job with these labels belongs to. Pure. */
export function targetsOf({ tags = [], batch, tenant }: Labels): LabelTarget[] {
  return [...tags.map((tag) => ({ tag })), ...(batch ? [{ batch }] : []), ...(tenant ? [{ tenant }] : [])];
}

/** The parts of a label's key. */
export function labelParts(target: LabelTarget): [kind: string, value: string] {
  if ('tag' in target) return ['tag', target.tag];
  return 'batch' in target ? ['batch', target.batch] : ['tenant', target.tenant];
}
