import { type Redis, ReplyError } from '@spillway/bullmq';
import { settledWithin } from './engine/settled-within.ts';
import { isPassing } from './engine/unavailable.ts';

/** What is wrong with a Redis, in words for the person who runs it. */
export interface ServerFinding {
  /** `unusable`: it lacks what is needed. `unsafe`: accepted jobs may be lost. `unknown`: it does not tell. */
  kind: 'unusable' | 'unsafe' | 'unknown';
  message: string;
}

/** The first with everything that the scripts and streams use. */
const OLDEST_VERSION = [6, 2] as const;

export interface ServerCheck {
  /** What may lose jobs is refused, and not only warned of. */
  isStrict: boolean;
  /** How long to wait for Redis; the check is made up for when it comes later. */
  waitMs: number;
  warn: (message: string) => void;
}

/**
 * Looks at the server as a service starts, and again after every reconnect, because then it may be another one. Resolves
 * with the reasons not to start with it, none where it may or where it is not there yet; everything else is warned of, and
 * so is everything that a later look finds: a service that runs goes on.
 */
export async function checkServer(redis: Redis, { isStrict, waitMs, warn }: ServerCheck): Promise<string[]> {
  const refusals: string[] = [];
  let isStarting = true;
  const look = async () => {
    for (const { kind, message } of await examineServer(redis)) {
      const isRefused = kind === 'unusable' || (kind === 'unsafe' && isStrict);
      if (isRefused && isStarting) refusals.push(message);
      else warn(message);
    }
  };
  const first = new Promise<void>((resolve) => {
    // That Redis has gone again is for the connection to say.
    const go = () => void look().then(resolve, resolve);
    redis.on('ready', go);
    if (redis.status === 'ready') go();
  });
  await settledWithin(first, waitMs);
  isStarting = false;
  return refusals;
}

/**
 * Asks Redis for its version and for the settings by which it may lose accepted jobs. A server that forbids the questions,
 * as managed ones may, has told nothing: that is a finding, and no error. Resolves with none where all is well.
 * @throws the connection's error when Redis goes away meanwhile.
 */
export async function examineServer(redis: Redis): Promise<ServerFinding[]> {
  const ask = (question: Promise<unknown>) => question.catch(forbidden);
  const [info, policy, appendOnly, save] = await Promise.all([
    ask(redis.info('server')),
    // One a call: before version 7 it takes no more.
    ask(redis.config('GET', 'maxmemory-policy')),
    ask(redis.config('GET', 'appendonly')),
    ask(redis.config('GET', 'save')),
  ]);
  return judgeServer({
    version: /^redis_version:(\S+)/m.exec(String(info ?? ''))?.[1],
    policy: settingOf(policy),
    appendOnly: settingOf(appendOnly),
    save: settingOf(save),
  });
}

/** As Redis names them; undefined where it does not tell. */
export interface ServerSettings {
  version: string | undefined;
  policy: string | undefined;
  appendOnly: string | undefined;
  save: string | undefined;
}

/** Pure. */
export function judgeServer({ version, policy, appendOnly, save }: ServerSettings): ServerFinding[] {
  const findings: ServerFinding[] = [];
  const say = (kind: ServerFinding['kind'], message: string) => findings.push({ kind, message });
  if (version !== undefined && !isSupported(version))
    say('unusable', `expected Redis ${OLDEST_VERSION.join('.')} or later (or Valkey), got ${version}`);
  if (policy !== undefined && policy !== 'noeviction')
    say(
      'unsafe',
      `expected maxmemory-policy noeviction, got ${policy}: when memory is full it throws accepted jobs away`,
    );
  if (appendOnly === 'no' && save === '')
    say('unsafe', 'expected appendonly yes, got no, and no save points either: a restart of Redis loses every job');
  const untold = Object.entries({ version, 'maxmemory-policy': policy, appendonly: appendOnly })
    .filter(([, value]) => value === undefined)
    .map(([name]) => name);
  if (untold.length > 0)
    say(
      'unknown',
      `Redis does not tell its ${untold.join(', ')}; see to it that it is 6.2 or later, evicts nothing and persists`,
    );
  return findings;
}

function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1]);
}

/** A name and its value, as a list or an object, depending on the protocol. */
function settingOf(reply: unknown): string | undefined {
  const value: unknown = Array.isArray(reply) ? reply[1] : Object.values(reply ?? {})[0];
  return typeof value === 'string' ? value : undefined;
}

function forbidden(error: unknown): undefined {
  if (error instanceof ReplyError && !isPassing(error as Error)) return undefined;
  throw error;
}
