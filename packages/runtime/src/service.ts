import { setTimeout as sleep } from 'node:timers/promises';
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
  /** Cuts a stop short that is under way: whatever it waits for is given up now. A service without it simply ends. */
  hurry?: () => void;
}

export interface ServiceSetup {
  config: Config;
  logger: Logger;
  /** Aborts when the service is to stop: one that is still starting must take nothing on any more. */
  stopping: AbortSignal;
}

export interface ServiceOptions<Prepared> {
  /** How long `stop` may take at most. */
  stopMs?: (config: Config) => number;
  /**
   * What comes before the start and holds nothing that a stop would have to care for. Until it has ended a signal ends the
   * process as it ends any other, whatever it is doing: module loaders have been seen to hang in a polite exit.
   */
  prepare?: (config: Config) => Promise<Prepared>;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** How long a stop waits for a start that is under way: a moment for one that is about to end, and no more. */
const START_MS = 1000;
/** How long a stop that was cut short may still take. */
const HURRY_MS = 1500;

/**
 * Owns a service's process: reads the configuration (exit code 2 where it is wrong), starts, tells a parent over IPC,
 * and stops on SIGTERM, SIGINT, SIGHUP, loss of the parent or an uncaught error. A second signal cuts the stop short, which
 * then ends within about a second; a third one, a service that cannot hurry, or `stopMs` end it with exit code 1.
 */
export async function runService<Prepared = undefined>(
  name: string,
  start: (setup: ServiceSetup, prepared: Prepared) => Promise<RunningService>,
  { stopMs = () => 10_000, prepare = async () => undefined as Prepared }: ServiceOptions<Prepared> = {},
): Promise<void> {
  // The parent died before this process could listen for that.
  if (process.connected === false) process.exit(0);
  const config = readConfigOrExit();
  const logger = createLogger(name, config);
  const stopping = new AbortController();
  let running: RunningService | undefined;
  try {
    const prepared = await withPlainSignals(() => prepare(config));
    // Not before the next line has set the listeners: a signal that comes in between would end the process.
    const starting = Promise.resolve().then(() => start({ config, logger, stopping: stopping.signal }, prepared));
    listenForStop({ starting, stopping, stopMs: stopMs(config), logger });
    running = await starting;
  } catch (error) {
    // Whoever listens for the stop ends the process.
    if (stopping.signal.aborted) return;
    if (error instanceof ConfigError) exitWith(2, error.message);
    logger.fatal({ err: error }, 'could not start');
    exitWith(1, startFailure(name, error));
  }
  if (stopping.signal.aborted) return;
  logger.info({ url: running.url }, 'ready');
  process.send?.({ kind: 'ready', url: running.url });
}

/** The first process of a container has no default for signals: there they would do nothing. */
async function withPlainSignals<T>(work: () => Promise<T>): Promise<T> {
  if (process.pid !== 1) return work();
  const end = () => process.exit(0);
  for (const signal of SIGNALS) process.once(signal, end);
  try {
    return await work();
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
  }
}

interface Stoppable {
  starting: Promise<RunningService>;
  stopping: AbortController;
  stopMs: number;
  logger: Logger;
}

function listenForStop({ starting, stopping, stopMs, logger }: Stoppable): void {
  let running: RunningService | undefined;
  const started = starting.then(
    (service) => {
      running = service;
    },
    () => undefined,
  );
  let reason: NodeJS.Signals | undefined;
  const grace = closeWithGrace({ delay: stopMs, logger, skip: [...SIGNALS] }, async ({ err }) => {
    stopping.abort();
    if (err) logger.fatal({ err }, 'stopping after an error that nothing handled');
    else logger.info({ signal: reason }, 'stopping');
    await Promise.race([started, sleep(START_MS)]);
    await running?.stop();
    logger.info('stopped');
  });

  let signals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    reason ??= signal;
    if (!stopping.signal.aborted) return void grace.close();
    if (signals > 2 || !running?.hurry) {
      logger.error({ signal }, 'ending at once');
      process.exit(1);
    }
    logger.warn({ signal }, 'cutting the stop short');
    running.hurry();
    setTimeout(() => process.exit(1), HURRY_MS);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // A parent that vanished without a signal must not leave its services behind; one that sent a signal before it went
  // must not cut their stop short.
  process.once('disconnect', () => stopping.signal.aborted || void grace.close());
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
