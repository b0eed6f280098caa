// Reads a BullMQ queue's own data, cheaply, without taking part in it.

/** `key` is what the names of the queue's keys begin with, such as `bull:jobs`. */
export function queueView(redis, key) {
  const completed = `${key}:completed`;
  return {
    /** In the main line, and in the lines of groups where a system has them. */
    waiting: async () => (await redis.client.llen(`${key}:wait`)) + (await redis.client.zcard(`${key}:grouped`)),
    completed: () => redis.client.zcard(completed),
    /** Ids of all completed jobs. */
    ended: () => redis.client.zrange(completed, 0, -1),

    /** Number of completed jobs and the time between the first and the last end, by the workers' own stamps. */
    async run() {
      const [count, first, last] = await Promise.all([
        redis.client.zcard(completed),
        redis.client.zrange(completed, 0, 0, 'WITHSCORES'),
        redis.client.zrange(completed, -1, -1, 'WITHSCORES'),
      ]);
      return { count, elapsedMs: Number(last[1]) - Number(first[1]) };
    },

    /** Bytes of the event stream: a history of bounded length, whatever the number of jobs. */
    historyBytes: async () => (await redis.client.memory('USAGE', `${key}:events`, 'SAMPLES', 0)) ?? 0,
  };
}

/** What the data take in Redis: its allocations less those for clients' buffers and for the append-only file's. */
export async function dataBytes(redis) {
  const info = await redis.client.info('memory');
  const field = (name) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return field('used_memory') - field('mem_clients_normal') - field('mem_aof_buffer');
}
