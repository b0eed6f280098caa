import { types } from 'node:util';
import { type Logger, pino, type SerializedError, stdSerializers } from 'pino';
import type { Config } from './settings.ts';

export type { Logger } from 'pino';

/** Fields that hold secrets, at the top of a line's fields and one below. */
const SECRETS = ['authorization', 'key', 'token', 'ticket', 'secret'].flatMap((name) => [name, `*.${name}`]);

/** Builds the one logger of a process. `service` and `pid` are on every line. */
export function createLogger(service: string, config: Pick<Config, 'logLevel' | 'logFormat'>): Logger {
  return pino({
    level: config.logLevel,
    base: { service, pid: process.pid },
    redact: { paths: [...SECRETS, 'req.headers.authorization'], censor: '[redacted]' },
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
 * source), so only the command's name is kept, here and in the errors that it holds.
 */
export function serializeError(error: Error): SerializedError {
  const serialized = stdSerializers.err(error);
  // What somebody threw that is no Error stays what it is.
  return isObject(serialized) ? withoutArguments(serialized, NESTING_MAX) : serialized;
}

/** How deep errors inside errors are shown; they may hold each other in a circle. */
const NESTING_MAX = 3;
/** Redis repeats the beginning of a command that it does not know in its message, which is part of the stack too. */
const REPEATED_ARGUMENTS = /, with args beginning with: .*/g;

function withoutArguments(serialized: SerializedError, nesting: number): SerializedError {
  for (const [name, value] of Object.entries(serialized)) {
    serialized[name] = name === 'command' && isObject(value) ? { name: value.name } : cleaned(value, nesting);
  }
  // pino keeps the original under a hidden `raw`; nothing may read the arguments back from there.
  Object.defineProperty(serialized, 'raw', { value: undefined });
  return serialized;
}

function cleaned(value: unknown, nesting: number): unknown {
  if (typeof value === 'string') return value.replace(REPEATED_ARGUMENTS, '');
  if (nesting === 0) return isObject(value) ? '[deeper]' : value;
  if (Array.isArray(value)) return value.map((item) => cleaned(item, nesting - 1));
  if (types.isNativeError(value)) return withoutArguments(stdSerializers.err(value), nesting - 1);
  // An error in a field is serialized already, by pino.
  return isObject(value) && typeof value.stack === 'string'
    ? withoutArguments(value as SerializedError, nesting - 1)
    : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
