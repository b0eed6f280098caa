import { defineScript } from '../engine/script.ts';

/**
 * Remembers what a finished step gave, while the attempt that ran it holds the job's lease: as for reports, the token alone
 * does not tell, because a worker keeps it from one job to the next. A write that is sent again, after a connection was
 * lost before the answer came, stores the same once more.
 *
 * KEYS  1 job  2 lock  3 steps
 * ARGV  1 token  2 attempt  3 name  4 value as JSON  5 most steps  6 seconds that steps are kept
 * Returns 1 written, 0 lease lost, -1 the job has as many steps as it may.
 */
export const writeStep = defineScript(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] or redis.call('HGET', KEYS[1], 'ats') ~= ARGV[2] then return 0 end
if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 and redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[5]) then return -1 end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[3], ARGV[6])
return 1
`);

/**
 * What the finished steps gave, for the attempt that holds the job's lease. A job that has completed elsewhere remembers
 * nothing any more: a worker that lost it without knowing would take that for a job at its beginning, and do the work of
 * its first step again.
 *
 * KEYS  1 job  2 lock  3 steps
 * ARGV  1 token  2 attempt
 * Returns names and values in turn, or nothing where the lease is lost.
 */
export const readSteps = defineScript(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] or redis.call('HGET', KEYS[1], 'ats') ~= ARGV[2] then return false end
return redis.call('HGETALL', KEYS[3])
`);
