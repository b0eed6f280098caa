// A process with a number of pages in it, each with a live connection of its own, that watch jobs to their end.
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@spillway/client';

const PAGES = 8;

/** @typedef {{ id: string, state?: string, run?: string, trouble?: string }} Seen without `state` while the end was not seen */

/** @type {Map<string, Seen>} */
const seen = new Map();
/** @type {import('@spillway/client').Client[]} */
const pages = [];
/** @type {Set<Promise<void>>} */
const open = new Set();

/** @typedef {{ kind: 'open', url: string } | { kind: 'watch', id: string } | { kind: 'finish', withinMs: number }} Order */

process.on('message', (/** @type {Order} */ order) => {
  if (order.kind === 'open') openPages(order.url);
  else if (order.kind === 'watch') watch(order.id);
  else void finish(order.withinMs);
});
process.once('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });

/** @param {string} url */
function openPages(url) {
  for (let n = 0; n < PAGES; n++) pages.push(createClient({ baseUrl: url }));
}

/** @param {string} id */
function watch(id) {
  const page = pages[seen.size % PAGES];
  if (!page || seen.has(id)) return;
  /** @type {Seen} */
  const entry = { id };
  seen.set(id, entry);
  const watched = page.watch(id).done.then(
    ({ job }) => {
      entry.state = job.state;
      entry.run = /** @type {{ run?: string } | undefined} */ (job.result)?.run;
    },
    (error) => {
      entry.trouble = error.message;
    },
  );
  const done = watched.finally(() => open.delete(done));
  open.add(done);
}

/** @param {number} withinMs */
async function finish(withinMs) {
  await Promise.race([Promise.all(open), sleep(withinMs)]);
  process.send?.({ kind: 'done', seen: [...seen.values()] });
}
