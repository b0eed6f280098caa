// Writes reports of running jobs into a queue's event stream at a steady rate, as the system's own script would: a worker
// that did this for 1,000 jobs would take the cores that are to be measured.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

const TICK_MS = 10;

/** ARGV: 1 what the queue's keys begin with  2 events kept  3 pairs of a job's id and a step's text */
const SCRIPTS = {
  /** BullMQ's updateProgress. */
  naive: `
    for index = 3, #ARGV, 2 do
      local id, data = ARGV[index], cjson.encode({fraction = 0.5, message = ARGV[index + 1]})
      redis.call('HSET', ARGV[1] .. id, 'progress', data)
      redis.call('XADD', ARGV[1] .. 'events', 'MAXLEN', '~', ARGV[2], '*', 'event', 'progress', 'jobId', id, 'data', data)
    end`,
  /** Spillway's report script: progress, and a numbered line that is kept besides. */
  spillway: `
    for index = 3, #ARGV, 2 do
      local id, line = ARGV[index], ARGV[index + 1]
      local data, job = cjson.encode({fraction = 0.5, message = line}), ARGV[1] .. id
      redis.call('HSET', job, 'progress', data)
      redis.call('RPUSH', job .. ':logs', line)
      redis.call('LTRIM', job .. ':logs', -1000, -1)
      local number = redis.call('HINCRBY', job, 'lc', 1) - 1
      redis.call('XADD', ARGV[1] .. 'events', 'MAXLEN', '~', ARGV[2], '*', 'event', 'progress', 'jobId', id,
        'data', data, 'logFrom', number, 'log', cjson.encode({line}))
    end`,
};

process.on('message', async (plan) => {
  try {
    process.send({ kind: 'result', ...(await feed(plan)) });
  } catch (error) {
    process.send({ kind: 'failure', message: error.stack });
  }
});
process.once('disconnect', () => process.exit(0));
process.send({ kind: 'ready' });

/** `plan`: { redisUrl, stream: { dialect, base, kept }, jobs, perSecond, each }: `each` reports of every job, in turn. */
async function feed({ redisUrl, stream, jobs, perSecond, each }) {
  const redis = new Redis(redisUrl);
  redis.defineCommand('report', { numberOfKeys: 0, lua: SCRIPTS[stream.dialect] });
  const total = jobs.length * each;
  const writes = [];
  const startedAt = performance.now();
  for (let written = 0; written < total; ) {
    const due = Math.min(total, Math.ceil(((performance.now() - startedAt) * perSecond) / 1000));
    const reports = [];
    for (; written < due; written += 1) reports.push(...report(jobs, written));
    if (reports.length > 0) writes.push(redis.report(stream.base, stream.kept, ...reports));
    await sleep(TICK_MS);
  }
  await Promise.all(writes);
  const elapsedMs = performance.now() - startedAt;
  redis.disconnect();
  return { written: total, elapsedMs };
}

function report(jobs, number) {
  return [jobs[number % jobs.length], `step ${Math.floor(number / jobs.length) + 1} is done`];
}
