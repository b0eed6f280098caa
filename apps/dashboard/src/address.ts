/** What the page shows: all jobs, one job, one batch, or queues and schedules. */
export type Place = { kind: 'jobs' } | { kind: 'job'; id: string } | { kind: 'batch'; id: string } | { kind: 'queues' };

/** The place that the address names. `?job=<id>` opens a job, `?batch=<id>` a batch, `?view=queues` the queues. Pure. */
export function placeIn(search: string): Place {
  const asked = new URLSearchParams(search);
  const [job, batch] = [asked.get('job'), asked.get('batch')];
  if (job) return { kind: 'job', id: job };
  if (batch) return { kind: 'batch', id: batch };
  return { kind: asked.get('view') === 'queues' ? 'queues' : 'jobs' };
}

/** The address of a place, relative to the page. Pure. */
export function hrefOf(place: Place): string {
  if (place.kind === 'jobs') return './';
  if (place.kind === 'queues') return '?view=queues';
  return `?${place.kind}=${encodeURIComponent(place.id)}`;
}

/** Puts the place into the address, so that reload, the back button and a copied link lead to it. */
export function setPlace(place: Place): void {
  const url = new URL(hrefOf(place), location.href);
  if (url.href !== location.href) history.pushState(null, '', url);
}
