import { types } from 'node:util';
import {
  type DestinationStream,
  type Logger,
  type LoggerOptions,
  pino,
  type SerializedError,
  stdSerializers,
} from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Config } from './settings.ts';

export type { Logger } from 'pino';

/** Fields that hold secrets, at the top of a line's fields and one below. */
const SECRETS = ['authorization', 'key', 'token', 'ticket', 'secret', 'password'].flatMap((name) => [
  name,
  `*.${name}`,
]);

/** Builds the one logger of a process. `service` and `pid` are on every line. */
export function createLogger(service: string, config: Pick<Config, 'logLevel' | 'logFormat'>): Logger {
  const options: LoggerOptions = {
    level: config.logLevel,
    base: { service, pid: process.pid },
    redact: { paths: SECRETS, censor: '[redacted]' },
    serializers: {
      err: serializeError,
      req: ({ method, url }: { method?: string; url?: string }) => ({ method, url }),
    },
    // An error under any other name would be written with all its fields.
    formatters: { log: withErrorsSerialized },
    hooks: { streamWrite: (line) => replaceSecrets(line.replace(REPEATED_ARGUMENTS_IN_JSON, '')) },
  };
  return pino(options, config.logFormat === 'pretty' ? prettyTo(openStdout()) : openStdout());
}

/**
 * Each line is written before the call returns. What is written later is flushed at the exit, and where nobody reads any
 * more (a parent that crashed) sonic-boom tries that again for ever: the process cannot be ended but by SIGKILL.
 */
function openStdout(): DestinationStream {
  return pino.destination({ dest: 1, sync: true });
}

/** Not pino's own transport, which is a thread: where nobody reads any more, an exit waits ten seconds for it. */
function prettyTo(stdout: DestinationStream): DestinationStream {
  const prettify = prettyFactory({
    colorize: process.stdout.isTTY,
    ignore: 'pid,service,hostname',
    translateTime: 'HH:MM:ss.l',
  });
  return { write: (line) => stdout.write(prettify(line) ?? '') };
}

/** What may stand anywhere in a text, as messages of libraries repeat addresses, headers and commands. */
const SECRETS_IN_TEXT: readonly (readonly [pattern: RegExp, instead: string])[] = [
  // Credentials in a URL: Redis' password above all.
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s"'\\/?#]*@/gi, '$1[redacted]@'],
  [/\b(bearer\s+)[^\s"'\\]+/gi, '$1[redacted]'],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '[redacted]'],
  [/([?&](?:ticket|token|key|secret|password)=)[^&\s"'\\]+/gi, '$1[redacted]'],
];
/** Redis repeats the beginning of a command that it does not know, up to the end of its line. */
const REPEATED_ARGUMENTS = /, with args beginning with: .*/g;
/** The same inside a line of JSON, where a quote ends the text and a line's end is written as two characters. */
const REPEATED_ARGUMENTS_IN_JSON = /, with args beginning with: (?:[^"\\\n]|\\[^n])*/g;

/** A text without what must not be read by whoever reads the log. Pure. */
export function withoutSecrets(text: string): string {
  return replaceSecrets(text.replace(REPEATED_ARGUMENTS, ''));
}

function replaceSecrets(text: string): string {
  return SECRETS_IN_TEXT.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text);
}

function withErrorsSerialized(fields: Record<string, unknown>): Record<string, unknown> {
  const errors = Object.entries(fields).filter(([name, value]) => name !== 'err' && types.isNativeError(value));
  if (errors.length === 0) return fields;
  return { ...fields, ...Object.fromEntries(errors.map(([name, value]) => [name, serializeError(value as Error)])) };
}

/**
 * An error for the log. An error from Redis carries its command with all arguments (a job's payload, a script's whole
 * source), one from an HTTP client its request with headers and body: of a command only the name is kept, of other things
 * what is plain data and not called like a secret or a payload, here and in the errors that it holds.
 */
export function serializeError(error: Error): SerializedError {
  const serialized = stdSerializers.err(error);
  // What somebody threw that is no Error stays what it is.
  return isObject(serialized) ? fieldsOf(serialized, NESTING_MAX) : serialized;
}

/** How deep errors inside errors are shown; they may hold each other in a circle. */
const NESTING_MAX = 4;
/** Items of a list that are shown: a failed transaction holds an error for each of its commands. */
const ITEMS_MAX = 10;
const LEFT_OUT =
  /^(?:args|data|body|payload|input|script|lua|.*(?:authorization|cookie|key|token|ticket|secret|password|credentials?))$/i;

function fieldsOf(serialized: SerializedError, nesting: number): SerializedError {
  for (const [name, value] of Object.entries(serialized)) serialized[name] = field(name, value, nesting);
  // pino keeps the original under a hidden `raw`; nothing may read the arguments back from there.
  Object.defineProperty(serialized, 'raw', { value: undefined });
  return serialized;
}

function field(name: string, value: unknown, nesting: number): unknown {
  if (name === 'command' && isObject(value)) return { name: value.name };
  return LEFT_OUT.test(name) ? '[redacted]' : cleaned(value, nesting);
}

function cleaned(value: unknown, nesting: number): unknown {
  if (typeof value === 'string') return withoutSecrets(value);
  if (!isObject(value)) return value;
  if (nesting === 0) return '[deeper]';
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => cleaned(item, nesting - 1));
  if (types.isNativeError(value)) return fieldsOf(stdSerializers.err(value), nesting - 1);
  // An error in a field is serialized already, by pino.
  if (typeof value.stack === 'string') return fieldsOf(value as SerializedError, nesting - 1);
  return isPlain(value)
    ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, field(name, inner, nesting - 1)]))
    : `[${value.constructor?.name ?? 'object'}]`;
}

/** Sockets, requests and buffers are no data to be read in a log. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
