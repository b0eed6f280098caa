import { SCOPES } from '@spillway/contracts';
import { createCancel } from '@spillway/queue/cancel';
import { checkServer, closeRedis, connectRedis, redisCheck } from '@spillway/queue/connection';
import { createFeed } from '@spillway/queue/feed';
import { createReader } from '@spillway/queue/reader';
import { createRegistry as createWorkerRegistry } from '@spillway/queue/registry';
import { openTokenRecords } from '@spillway/queue/tokens';
import {
  ConfigError,
  checkBind,
  checkReadiness,
  createTokens,
  parseKeys,
  type RunningService,
  runService,
  type ServiceSetup,
} from '@spillway/runtime';
import { createMetrics } from './metrics.ts';
import { watchPositions } from './positions.ts';
import { createRelay } from './relay.ts';
import { createServer } from './server.ts';
import { createSlowReaders } from './slow-readers.ts';
import { queueSnapshots } from './snapshot-queue.ts';

/** What stopping may take beyond the wait for the clients: the goodbye to those that stay, and the connections to Redis. */
const STOP_MARGIN_MS = 3000;

/** A service that serves starts without Redis, and says so in `/readyz`; what it finds later it warns of. */
const SERVER_CHECK_MS = 1000;

await runService('status', start, { stopMs: (config) => config.statusStopMs + STOP_MARGIN_MS });

async function start({ config, logger }: ServiceSetup): Promise<RunningService> {
  const warning = checkBind(config);
  if (warning) logger.warn(warning);
  const keys = parseKeys(config.keys, SCOPES);

  const onError = (err: Error) => logger.warn({ err }, 'trouble with Redis');
  const redis = connectRedis(config.redisUrl, 'command', 'status', onError);
  const reads = connectRedis(config.redisUrl, 'feed', 'status', onError);
  const { prefix } = config;
  const tokenRecords = openTokenRecords({ redis, prefix, secrets: config.tokenSecret, onError });
  const { secrets, isRevoked } = tokenRecords;
  const metrics = createMetrics();
  const slowReaders = createSlowReaders(metrics);
  const relay = createRelay({ slowReaders, metrics });
  const reader = queueSnapshots(createReader({ redis, prefix }), metrics);
  const positions = watchPositions({
    relay,
    reader,
    onError: (err) => logger.warn({ err }, 'places in line are unknown'),
  });
  const feed = createFeed({ reads, commands: redis, prefix, listener: positions, onError });

  const server = createServer({
    keys,
    tokens: createTokens({ issuer: prefix, keys, secrets, isRevoked }),
    tokenRecords,
    config,
    relay,
    feed,
    reader: positions.observe(reader),
    registry: createWorkerRegistry({ redis, prefix }),
    cancel: createCancel({ redis, prefix }),
    slowReaders,
    metrics,
    readiness: () => checkReadiness({ redis: redisCheck(redis) }),
    logger,
  });
  const [refusals] = await Promise.all([
    checkServer(redis, { isStrict: config.production, waitMs: SERVER_CHECK_MS, warn: (text) => logger.warn(text) }),
    tokenRecords.looked,
  ]);
  if (refusals.length > 0) throw new ConfigError(refusals.map((reason) => `REDIS_URL: ${reason}`));
  const url = await server.listen(config.statusPort, config.host);
  return {
    url,
    async stop() {
      await server.close();
      positions.close();
      tokenRecords.close();
      await feed.close();
      await closeRedis(redis);
    },
  };
}
