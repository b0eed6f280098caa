import { checkBind, type RunningService, runService, type ServiceSetup } from '@spillway/runtime';
import { createProxy } from './server.ts';

await runService('autoscaler-proxy', start);

async function start({ config, logger }: ServiceSetup): Promise<RunningService> {
  const warning = checkBind(config);
  if (warning) logger.warn(warning);
  const proxy = createProxy({
    socketPath: config.autoscalerEngineSocket,
    service: { project: config.autoscalerProject, service: config.autoscalerService },
    max: config.autoscalerMax,
    logger,
  });
  const url = await proxy.listen(config.autoscalerPort, config.host);
  return { url, stop: () => proxy.close() };
}
