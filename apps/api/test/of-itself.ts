/**
 * What the services renew by themselves: signs of life, what queues are measured to do, and the marks that somebody has
 * looked for lost jobs, uncounted members of batches, and schedules that are due.
 */
export const OF_ITSELF = /:worker:|:(looked|swept|rates|schedules-lease)$/;
