import { SCOPES } from '@spillway/contracts';
import { openFileStore } from '@spillway/files';
import { checkServer, closeRedis, connectRedis, redisCheck } from '@spillway/queue/connection';
import { createFeed } from '@spillway/queue/feed';
import { createProducer } from '@spillway/queue/producer';
import { createRates } from '@spillway/queue/rates';
import { createReader } from '@spillway/queue/reader';
import { createRegistry } from '@spillway/queue/registry';
import { createSchedules } from '@spillway/queue/schedules';
import { openTokenRecords } from '@spillway/queue/tokens';
import {
  ConfigError,
  checkBind,
  checkReadiness,
  createHandOver,
  createTokens,
  parseKeys,
  type RunningService,
  runService,
  type ServiceSetup,
} from '@spillway/runtime';
import { buildApp } from './app.ts';
import { createCatalogue } from './catalogue.ts';
import { createMetrics } from './metrics.ts';
import { createScaling } from './scaling.ts';
import { fireTick } from './schedules/fire.ts';
import { startTicker } from './schedules/ticker.ts';
import { createEndListener, createWaitForEnd } from './wait-for-end.ts';

/** A service that serves starts without Redis, and says so in `/readyz`; what it finds later it warns of. */
const SERVER_CHECK_MS = 1000;

await runService('api', start);

async function start({ config, logger }: ServiceSetup): Promise<RunningService> {
  const warning = checkBind(config);
  if (warning) logger.warn(warning);
  const keys = parseKeys(config.keys, SCOPES);

  const onError = (err: Error) => logger.warn({ err }, 'trouble with Redis');
  const redis = connectRedis(config.redisUrl, 'command', 'api', onError);
  const reads = connectRedis(config.redisUrl, 'feed', 'api', onError);
  const { prefix } = config;
  const rates = createRates({ redis, prefix });
  const producer = createProducer({
    redis,
    prefix,
    onError,
    keysKeptS: config.idempotencyTtlS,
    drainPerSecond: rates.drainPerSecond,
  });
  const reader = createReader({ redis, prefix });
  const registry = createRegistry({ redis, prefix });
  const listener = createEndListener();
  const feed = createFeed({ reads, commands: redis, prefix, listener, onError });
  const catalogue = createCatalogue(registry, (err) => logger.error({ err }, 'a job type is left out'));
  const scaling = createScaling({ rates, catalogue }, config);
  const schedules = createSchedules({ redis, prefix });
  const metrics = createMetrics({ queues: catalogue.queues, reader, workers: registry, scaling });
  const tokenRecords = openTokenRecords({ redis, prefix, secrets: config.tokenSecret, onError });
  const { secrets, isRevoked } = tokenRecords;
  const tokens = createTokens({ issuer: prefix, keys, secrets, isRevoked });
  const files = openFileStore({ location: config.files, maxBytes: config.fileLimitBytes });

  const app = await buildApp({
    config,
    logger,
    keys,
    handOver: createHandOver(),
    statusUrl: config.statusUrl || `http://127.0.0.1:${config.statusPort}`,
    services: {
      producer,
      reader,
      registry,
      catalogue,
      schedules,
      files,
      tokens,
      tokenRecords,
      metrics,
      scaling,
      waitForEnd: createWaitForEnd(feed, listener, reader),
      readiness: () => checkReadiness({ redis: redisCheck(redis) }),
    },
  });
  const [refusals] = await Promise.all([
    checkServer(redis, { isStrict: config.production, waitMs: SERVER_CHECK_MS, warn: (text) => logger.warn(text) }),
    tokenRecords.looked,
  ]);
  if (refusals.length > 0) throw new ConfigError(refusals.map((reason) => `REDIS_URL: ${reason}`));
  const url = await app.listen({ host: config.host, port: config.port });
  const ticker = startTicker({
    schedules,
    fire: (schedule, tick) => fireTick({ producer, catalogue, metrics }, schedule, tick),
    onError: (err) => logger.error({ err }, 'schedules could not be looked after'),
  });
  return {
    url,
    async stop() {
      await ticker.close();
      listener.close();
      await app.close();
      tokenRecords.close();
      await feed.close();
      await producer.close();
      await files.close();
      await closeRedis(redis);
    },
  };
}
