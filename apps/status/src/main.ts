import { SCOPES } from '@spillway/contracts';
import { closeRedis, connectRedis } from '@spillway/queue/connection';
import { createFeed } from '@spillway/queue/feed';
import { createReader } from '@spillway/queue/reader';
import { createRegistry as createWorkerRegistry } from '@spillway/queue/registry';
import {
  checkBind,
  checkReadiness,
  createRegistry,
  parseKeys,
  type RunningService,
  runService,
  type ServiceSetup,
} from '@spillway/runtime';
import { createRelay } from './relay.ts';
import { createServer } from './server.ts';

await runService('status', start);

async function start({ config, logger }: ServiceSetup): Promise<RunningService> {
  const warning = checkBind(config);
  if (warning) logger.warn(warning);
  const keys = parseKeys(config.keys, SCOPES);

  const onError = (err: Error) => logger.warn({ err }, 'trouble with Redis');
  const redis = connectRedis(config.redisUrl, 'command', 'status', onError);
  const reads = connectRedis(config.redisUrl, 'feed', 'status', onError);
  const relay = createRelay();
  const feed = createFeed({ reads, commands: redis, prefix: config.prefix, listener: relay, onError });

  const server = createServer({
    keys,
    config,
    relay,
    feed,
    reader: createReader({ redis, prefix: config.prefix }),
    registry: createWorkerRegistry({ redis, prefix: config.prefix }),
    metrics: createRegistry('status'),
    readiness: () => checkReadiness({ redis: () => redis.ping() }),
    logger,
  });
  const url = await server.listen(config.statusPort, config.host);
  return {
    url,
    async stop() {
      await server.close();
      await feed.close();
      await closeRedis(redis);
    },
  };
}
