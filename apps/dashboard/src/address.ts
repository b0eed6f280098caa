/** The job that the address names: `/?job=<id>` opens it. */
export function openedJob(): string | undefined {
  return new URLSearchParams(location.search).get('job') ?? undefined;
}

/** Puts the opened job into the address, so that reload, the back button and a copied link lead to it. */
export function setOpenedJob(id: string | undefined): void {
  if (id === openedJob()) return;
  const url = new URL(location.href);
  if (id) url.searchParams.set('job', id);
  else url.searchParams.delete('job');
  history.pushState(null, '', url);
}
