import closeWithGrace from 'close-with-grace';
import { ConfigError, readConfig } from './config.ts';
import { createLogger, type Logger, withoutSecrets } from './logger.ts';
import type { Config } from './settings.ts';

/** What a service hands back once it is ready. */
export interface RunningService {
  /** Where it answers, if it listens. */
  url?: string;
  /** Stops taking, finishes or hands back, closes connections. Called once. */
  stop: () => Promise<void>;
}

export interface ServiceSetup {
  config: Config;
  logger: Logger;
}

/**
 * Owns a service's process: reads the configuration (exit code 2 where it is wrong), starts, tells a parent over IPC,
 * and stops on SIGTERM, SIGINT, loss of the parent or an uncaught error. A second signal or `stopMs` cuts the stop short
 * with exit code 1.
 */
export async function runService(
  name: string,
  start: (setup: ServiceSetup) => Promise<RunningService>,
  stopMs: (config: Config) => number = () => 10_000,
): Promise<void> {
  // The parent died before this process could listen for that.
  if (process.connected === false) process.exit(0);
  const config = readConfigOrExit();
  const logger = createLogger(name, config);
  let running: RunningService | undefined;
  let stopping = false;
  const grace = closeWithGrace({ delay: stopMs(config), logger }, async ({ signal, err }) => {
    stopping = true;
    if (err) logger.fatal({ err }, 'stopping after an error that nothing handled');
    else logger.info({ signal }, 'stopping');
    await running?.stop();
    logger.info('stopped');
  });
  // A parent that vanished without a signal must not leave its services behind; one that sent a signal before it went
  // must not cut their stop short.
  process.once('disconnect', () => stopping || void grace.close());
  try {
    running = await start({ config, logger });
  } catch (error) {
    if (error instanceof ConfigError) exitWith(2, error.message);
    logger.fatal({ err: error }, 'could not start');
    exitWith(1, startFailure(name, error));
  }
  logger.info({ url: running.url }, 'ready');
  process.send?.({ kind: 'ready', url: running.url });
}

function readConfigOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    return exitWith(2, error instanceof Error ? error.message : String(error));
  }
}

function startFailure(name: string, error: unknown): string {
  const { code, address, port, message } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE')
    return `${name}: ${address}:${port} is taken by another program; stop it or choose another port`;
  return withoutSecrets(`${name}: could not start: ${message ?? error}`);
}

function exitWith(code: number, message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
