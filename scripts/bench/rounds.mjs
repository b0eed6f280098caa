// Measures every system of a scenario in turns: one after the other in each round, so that all see the same machine.
import { startRedis } from './redis.mjs';
import { openStage } from './stage.mjs';

/**
 * Returns one sample per round and system: { round, system, values }. `onStage` hears of each stage that opens (so that a
 * signal can end it), `say` of each sample.
 */
export async function measureRounds(scenario, { program, rounds, concurrency, onStage, onRedis, say }) {
  const samples = [];
  for (let round = 0; round < rounds; round += 1) {
    // Every second round goes the other way, so that being first favours nobody.
    const order = round % 2 === 0 ? scenario.systems : [...scenario.systems].reverse();
    for (const system of order) {
      const values = await measureOnce(scenario, system, { program, concurrency, onStage, onRedis });
      samples.push({ round, system: system.name, values });
      say(`${scenario.id}, round ${round + 1} of ${rounds}, ${system.name}: ${brief(scenario, values)}`);
    }
  }
  return samples;
}

/** A fresh Redis and fresh processes for each sample: nothing that an earlier one left can help or harm. */
async function measureOnce(scenario, system, { program, concurrency, onStage, onRedis }) {
  const stage = openStage();
  onStage(stage);
  let redis;
  const work = async () => {
    redis = await startRedis(stage, program, system.redisSettings);
    onRedis(redis);
    return scenario.measure({ stage, redis, name: system.name, system: system.create(stage, redis, { concurrency }) });
  };
  try {
    return await Promise.race([work(), stage.loss]);
  } finally {
    redis?.close();
    await stage.close();
  }
}

function brief({ rows }, values) {
  const [{ key, title }] = rows;
  return `${title} ${Math.round(values[key] * 10) / 10}`;
}
