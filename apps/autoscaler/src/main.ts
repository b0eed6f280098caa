import { createClient } from '@spillway/client';
import {
  type Config,
  ConfigError,
  checkBind,
  type RunningService,
  runService,
  type ServiceSetup,
} from '@spillway/runtime';
import { figuresOf } from './advice.ts';
import { createAutoscaler, type Fleet } from './autoscaler.ts';
import type { Limits } from './decide.ts';
import { openEngine } from './docker/engine.ts';
import { createFleet } from './docker/fleet.ts';
import { createMetrics } from './metrics.ts';
import { createServer } from './server.ts';

/** Looks that may be missed: with three in a row the advice is stale, and the cooldown begins anew. */
const MISSED_LOOKS = 3;

await runService('autoscaler', start);

async function start({ config, logger }: ServiceSetup): Promise<RunningService> {
  const warning = checkBind(config);
  if (warning) logger.warn(warning);
  const limits = limitsOf(config);
  const client = createClient({ baseUrl: config.apiUrl, key: config.apiKey || undefined });
  const metrics = createMetrics();
  const autoscaler = createAutoscaler({
    readFigures: async () => figuresOf(await client.scaling(), config.autoscalerQueues),
    fleet: fleetOf(config, { logger }),
    limits,
    intervalMs: config.autoscalerIntervalMs,
    now: Date.now,
    onStep: metrics.saw,
    onTrouble: metrics.failed,
    logger,
  });
  const { autoscalerMode: mode } = config;
  const server = createServer({ autoscaler, metrics, facts: { mode, limits } });
  const url = await server.listen(config.autoscalerPort, config.host);
  const stopping = new AbortController();
  const running = autoscaler.run(stopping.signal);
  return {
    url,
    async stop() {
      stopping.abort();
      await running;
      await server.close();
      client.close();
    },
  };
}

function limitsOf(config: Config): Limits {
  const { autoscalerMin: min, autoscalerMax: max, autoscalerCooldownMs: cooldownMs, autoscalerIntervalMs } = config;
  if (min > max) throw new ConfigError([`AUTOSCALER_MAX: expected at least AUTOSCALER_MIN (${min}), got ${max}`]);
  return { min, max, cooldownMs, staleMs: MISSED_LOOKS * autoscalerIntervalMs };
}

function fleetOf(config: Config, { logger }: Pick<ServiceSetup, 'logger'>): Fleet | undefined {
  if (config.autoscalerMode === 'advise') return undefined;
  const engine = openEngine({ url: config.autoscalerEngineUrl }, config);
  return createFleet({ engine, max: config.autoscalerMax, logger });
}
