import { type Logger, pino, type SerializedError, stdSerializers } from 'pino';
import type { Config } from './settings.ts';

export type { Logger } from 'pino';

/** Builds the one logger of a process. `service` and `pid` are on every line. */
export function createLogger(service: string, config: Pick<Config, 'logLevel' | 'logFormat'>): Logger {
  return pino({
    level: config.logLevel,
    base: { service, pid: process.pid },
    redact: { paths: ['req.headers.authorization', '*.authorization', '*.key', '*.token'], censor: '[redacted]' },
    serializers: { err: serializeError },
    ...(config.logFormat === 'pretty' && {
      transport: {
        target: 'pino-pretty',
        options: { colorize: process.stdout.isTTY, ignore: 'pid,service,hostname', translateTime: 'HH:MM:ss.l' },
      },
    }),
  });
}

/**
 * An error for the log. An error from Redis carries its command with all arguments (a job's payload, a script's whole
 * source), so only the command's name is kept.
 */
export function serializeError(error: Error): SerializedError {
  const serialized = stdSerializers.err(error);
  const command: unknown = serialized.command;
  if (typeof command === 'object' && command !== null) {
    serialized.command = { name: (command as { name?: unknown }).name };
    // pino keeps the original under a hidden `raw`; nothing may read the arguments back from there.
    Object.defineProperty(serialized, 'raw', { value: undefined });
  }
  return serialized;
}
