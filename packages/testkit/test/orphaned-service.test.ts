import { openSandbox, type ServiceName, startRedis, startService, until } from '../src/index.ts';

// Processes take a while to start on a busy machine.
jest.setTimeout(90_000);

const SERVICES: ServiceName[] = ['api', 'status', 'worker'];
const FORMATS = ['json', 'pretty'];

/** With exit code 1 a stop had to be cut off at its deadline. */
const ENDED_WELL = { code: 0, signal: null };

test.each(SERVICES.flatMap((name) => FORMATS.map((format) => [name, format] as const)))(
  '%s that nobody reads any more (%s) stops in time while Redis is dead',
  async (name, format) => {
    await using server = await startRedis();
    await using sandbox = await openSandbox(server.url);
    await using service = await startService(name, {
      REDIS_URL: server.url,
      SPILLWAY_PREFIX: sandbox.prefix,
      SPILLWAY_FILES: sandbox.folder,
      SPILLWAY_PORT: '0',
      SPILLWAY_STATUS_PORT: '0',
      SPILLWAY_LOG_FORMAT: format,
      SPILLWAY_LOG_LEVEL: 'info',
      WORKER_STOP_MS: '200',
    });
    await server.kill();
    await until('it to say that Redis is gone', () => service.output().includes('trouble with Redis'));
    service.closeOutput();
    const ended = await service.stop();
    await server.start();
    expect(ended).toEqual(ENDED_WELL);
  },
);
