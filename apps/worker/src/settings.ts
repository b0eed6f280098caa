import { ConfigError, readConfig } from '@spillway/runtime';
import { type Permit, parsePermit } from './addresses.ts';
import { parseSigningKey } from './signature.ts';

/** What the built-in handlers take from the environment. */
export interface JobSettings {
  /** Folders that `path:` references may read from (SPILLWAY_PATHS). */
  paths: readonly string[];
  /** Which addresses jobs may call beside public ones (SPILLWAY_ALLOW_PRIVATE). */
  permit: Permit;
  /** Signs the calls of http.deliver (SPILLWAY_DELIVER_SECRET); absent where none is set. */
  signingKey: Buffer | undefined;
}

let read: JobSettings | undefined;

/** The settings of this process; the environment is read on the first call. @throws ConfigError */
export function settings(): JobSettings {
  read ??= readJobSettings(process.env);
  return read;
}

/** @throws ConfigError naming the variable, what was expected and what came. */
export function readJobSettings(env: NodeJS.ProcessEnv): JobSettings {
  const { paths, allowPrivate, deliverSecret } = readConfig(env);
  return {
    paths,
    permit: named('SPILLWAY_ALLOW_PRIVATE', () => parsePermit(allowPrivate)),
    signingKey: deliverSecret ? named('SPILLWAY_DELIVER_SECRET', () => parseSigningKey(deliverSecret)) : undefined,
  };
}

function named<T>(variable: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new ConfigError([`${variable}: ${cause instanceof Error ? cause.message : cause}`]);
  }
}
