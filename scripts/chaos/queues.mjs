/**
 * A cap and isolates hold up the jobs behind them, and jobs that run together take all places: each has its own queue. Isolates
 * of two types in one queue would end each other, and each start costs half a second of a core that is to be measured.
 */
export const QUEUES = ['chaos', 'chaos-groups', 'chaos-threads', 'chaos-processes', 'chaos-together'];

/** Types that must be known before anything is submitted: one of each file of jobs. */
export const TYPES = ['work', 'grouped', 'thread', 'process', 'parent', 'stepwise', 'together', 'tick'].map(
  (name) => `chaos.${name}`,
);

/** Jobs of one group that run at once, over all workers: few, so that they stand in line. */
export const GROUP_CAP = 3;
