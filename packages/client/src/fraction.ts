import type { Job } from '@spillway/contracts';

/**
 * How far a job is for a progress bar, 0 to 1; undefined while nothing is known. A job that completed is all the way,
 * whatever it reported last.
 */
export function fractionOf(job: Pick<Job, 'state' | 'progress'>): number | undefined {
  return job.state === 'completed' ? 1 : job.progress?.fraction;
}
