/**
 * What the queues themselves recorded: every event by which a job ended, read from their event streams.
 * @param {import('./stack.mjs').Stack} stack
 * @returns {Promise<Map<string, string[]>>} job id → `completed` or `failed`, one entry for each time it ended
 */
export async function readEndEvents(stack) {
  /** @param {string[]} args */
  const redis = (...args) => stack.compose('exec', '--no-TTY', 'redis', 'redis-cli', ...args);
  const keys = await redis('--scan', '--pattern', '*:events');
  /** @type {Map<string, string[]>} */
  const ends = new Map();
  for (const key of keys.split('\n').filter(Boolean)) {
    const entries = JSON.parse(await redis('--json', 'XRANGE', key, '-', '+'));
    for (const [, fields] of entries) addEnd(ends, new Map(pairs(fields)));
  }
  return ends;
}

/** @param {Map<string, string[]>} ends @param {Map<string, string>} entry */
function addEnd(ends, entry) {
  const event = entry.get('event') ?? '';
  const job = entry.get('jobId') ?? '';
  if (event === 'completed' || event === 'failed') ends.set(job, [...(ends.get(job) ?? []), event]);
}

/** @param {string[]} flat field, value, field, value… @returns {[string, string][]} */
function pairs(flat) {
  return flat.flatMap((field, index) => (index % 2 === 0 ? [[field, flat[index + 1]]] : []));
}
