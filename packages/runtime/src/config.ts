import { readFileSync } from 'node:fs';
import { type Config, SETTINGS, type Setting } from './settings.ts';

/** The environment does not describe a service that may start. The message lists every problem, one a line. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`The configuration cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads the whole configuration from the environment, once. Empty variables count as absent.
 * @throws ConfigError naming every variable that is wrong, what was expected and what came (never a secret's value).
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const entries = Object.entries(SETTINGS).map(([name, entry]) => {
    const value = readSetting(entry as Setting<unknown>, env, problems);
    return [name, Array.isArray(value) ? Object.freeze([...value]) : value];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(Object.fromEntries(entries)) as Config;
}

function readSetting(entry: Setting<unknown>, env: NodeJS.ProcessEnv, problems: string[]): unknown {
  try {
    const raw = readRaw(entry, env);
    return raw === undefined ? entry.fallback : parse(entry, raw);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
    return entry.fallback;
  }
}

function readRaw(entry: Setting<unknown>, env: NodeJS.ProcessEnv): string | undefined {
  const direct = env[entry.env]?.trim();
  if (!entry.secret) return direct || undefined;
  const file = env[`${entry.env}_FILE`];
  if (direct && file) throw new Error(`${entry.env}: expected the value or ${entry.env}_FILE, got both`);
  if (!file) return direct || undefined;
  const content = readSecret(`${entry.env}_FILE`, file);
  // Whoever names a file means to set something: an empty one must not leave a service without keys.
  if (!content) throw new Error(`${entry.env}_FILE: expected a file with a value in it, got ${file}, which is empty`);
  return content;
}

function readSecret(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new Error(`${variable}: expected a readable file, got ${file} (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    });
  }
}

function parse(entry: Setting<unknown>, raw: string): unknown {
  try {
    return entry.parse(raw);
  } catch (cause) {
    const expected = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `${entry.env}: expected ${expected}, got ${entry.secret ? 'something else' : JSON.stringify(raw)}`,
      { cause },
    );
  }
}

/** Whether an address can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Whether a request's Host header names this service. A name of somebody else's that resolves to this address is how a
 * foreign page gets past the same-origin rule, so an open service answers only under names that are its own.
 */
export function isOwnHost(header: string | undefined, config: Pick<Config, 'host' | 'hosts'>): boolean {
  const name = (header ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  if (config.hosts.length > 0) return config.hosts.includes(name);
  return !isLoopback(config.host) || isLoopback(name);
}

/**
 * Keeps an open service away from strangers: without keys only loopback is bound, unless SPILLWAY_ALLOW_OPEN says so.
 * Returns the warning to log where the setting was needed.
 * @throws ConfigError
 */
export function checkBind(config: Pick<Config, 'host' | 'keys' | 'allowOpen'>): string | undefined {
  if (config.keys || isLoopback(config.host)) return undefined;
  if (config.allowOpen)
    return `OPEN TO ANYONE who can reach ${config.host}: no keys are set, and SPILLWAY_ALLOW_OPEN permits it`;
  throw new ConfigError([
    `SPILLWAY_HOST: expected a loopback address while no keys are set, got ${JSON.stringify(config.host)} (set SPILLWAY_KEYS, \`npm run key\` makes one)`,
  ]);
}
