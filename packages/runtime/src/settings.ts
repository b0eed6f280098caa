/** Every setting of every service, in one table: the config type, `.env.example` and docs/settings.md follow from it. */
export interface Setting<T> {
  env: string;
  describe: string;
  /** What stands in the docs as the default. */
  shown: string;
  fallback: T;
  /** A secret may also come from the file named by `<env>_FILE`, and is never logged. */
  secret?: boolean;
  /** @throws Error whose message says what was expected. */
  parse: (raw: string) => T;
}

type Spec<T> = Omit<Setting<T>, 'parse' | 'shown'> & { shown?: string };

function setting<T>(parse: (raw: string) => T, spec: Spec<T>): Setting<T> {
  return { shown: String(spec.fallback ?? ''), ...spec, parse };
}

const text = (spec: Spec<string>) => setting((raw) => raw, spec);
const optionalText = (spec: Spec<string | undefined>) => setting<string | undefined>((raw) => raw, spec);
const list = (spec: Spec<string[]>) =>
  setting(
    (raw) =>
      raw
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean),
    spec,
  );

function integer(spec: Spec<number> & { min: number; max: number }): Setting<number> {
  const { min, max, ...rest } = spec;
  return setting((raw) => {
    const value = Number(raw);
    if (!Number.isInteger(value) || value < min || value > max) throw new Error(`a whole number from ${min} to ${max}`);
    return value;
  }, rest);
}

function flag(spec: Spec<boolean>): Setting<boolean> {
  return setting((raw) => {
    if (raw === 'true' || raw === '1') return true;
    if (raw === 'false' || raw === '0') return false;
    throw new Error('true or false');
  }, spec);
}

function oneOf<const T extends string>(values: readonly T[], spec: Spec<T>): Setting<T> {
  return setting((raw) => {
    const found = values.find((value) => value === raw);
    if (!found) throw new Error(`one of ${values.join(', ')}`);
    return found;
  }, spec);
}

function url(protocols: readonly string[], spec: Spec<string>): Setting<string> {
  return setting((raw) => {
    if (!URL.canParse(raw) || !protocols.includes(new URL(raw).protocol))
      throw new Error(`a URL that begins with ${protocols.join('// or ')}//`);
    return raw;
  }, spec);
}

/** Part of every Redis key, where braces would name a hash slot and spaces and stars would be a nuisance. */
const keyPart = (spec: Spec<string>) =>
  setting((raw) => {
    if (!/^[\w.:-]{1,64}$/.test(raw)) throw new Error('1 to 64 letters, digits and . _ : -');
    return raw;
  }, spec);

/** HMAC-SHA256 is as strong as its secret up to 32 bytes; a shorter one could be searched for. */
const SECRET_MIN_LENGTH = 32;

const secrets = (spec: Spec<string[]>) => {
  const words = list(spec);
  return {
    ...words,
    parse(raw: string) {
      const parts = words.parse(raw);
      if (parts.length > 0 && parts.every((part) => part.length >= SECRET_MIN_LENGTH)) return parts;
      throw new Error(`comma-separated secrets of ${SECRET_MIN_LENGTH} characters or more`);
    },
  };
};

/** A whole number, or `auto` for one per core. */
const processes = (spec: Spec<number | 'auto'>) =>
  setting<number | 'auto'>((raw) => {
    if (raw === 'auto') return raw;
    const value = Number(raw);
    if (!Number.isInteger(value) || value < 1 || value > 256) throw new Error('auto or a whole number from 1 to 256');
    return value;
  }, spec);

export const SETTINGS = {
  redisUrl: url(['redis:', 'rediss:'], {
    env: 'REDIS_URL',
    describe: 'Where Redis (6.2 or later) or Valkey listens.',
    fallback: 'redis://127.0.0.1:6379',
    secret: true,
  }),
  prefix: keyPart({
    env: 'SPILLWAY_PREFIX',
    describe: 'First part of every Redis key; two stacks on one Redis need two.',
    fallback: 'spillway',
  }),
  production: flag({
    env: 'SPILLWAY_PRODUCTION',
    describe:
      'Refuses to start with a Redis that may lose accepted jobs (it evicts, or persists nothing), which is otherwise a warning.',
    fallback: false,
  }),
  host: text({
    env: 'SPILLWAY_HOST',
    describe: 'Address to bind. Anything but loopback needs keys.',
    fallback: '127.0.0.1',
  }),
  port: integer({
    env: 'SPILLWAY_PORT',
    describe: 'Port of api; 0 takes any free one.',
    fallback: 3000,
    min: 0,
    max: 65535,
  }),
  statusPort: integer({
    env: 'SPILLWAY_STATUS_PORT',
    describe: 'Port of status; 0 takes any free one.',
    fallback: 3001,
    min: 0,
    max: 65535,
  }),
  statusUrl: url(['http:', 'https:'], {
    env: 'SPILLWAY_STATUS_URL',
    describe: 'Where api reaches status, to forward live connections.',
    fallback: '',
    shown: 'http://127.0.0.1:<SPILLWAY_STATUS_PORT>',
  }),
  statusConnections: integer({
    env: 'SPILLWAY_STATUS_CONNECTIONS',
    describe: 'Live connections that one status process holds; it refuses more with 503.',
    fallback: 20_000,
    min: 1,
    max: 1_000_000,
  }),
  statusCallerConnections: integer({
    env: 'SPILLWAY_STATUS_CALLER_CONNECTIONS',
    describe: 'Live connections that one caller (a key, a token) may have in one status process; 0 is no limit.',
    fallback: 0,
    min: 0,
    max: 1_000_000,
  }),
  statusWatched: integer({
    env: 'SPILLWAY_STATUS_WATCHED',
    describe: 'Targets that one live connection may watch at a time.',
    fallback: 200,
    min: 1,
    max: 10_000,
  }),
  statusStopMs: integer({
    env: 'SPILLWAY_STATUS_STOP_MS',
    describe: 'How long a stopping status waits for its clients to move to another process.',
    fallback: 10_000,
    min: 0,
    max: 600_000,
  }),
  keys: text({
    env: 'SPILLWAY_KEYS',
    describe: 'API keys, comma-separated `<name>:<scope+scope>:<sha256 of the key>`; `npm run key` makes one.',
    fallback: '',
    secret: true,
  }),
  tokenSecret: secrets({
    env: 'SPILLWAY_TOKEN_SECRET',
    describe:
      'Signs watch tokens: comma-separated secrets of 32 characters or more, of which the first signs and all verify. Empty: one is made and kept in Redis.',
    fallback: [],
    secret: true,
  }),
  allowOpen: flag({
    env: 'SPILLWAY_ALLOW_OPEN',
    describe:
      'Permits a bind address other than loopback without keys. Right only where something else keeps strangers out.',
    fallback: false,
  }),
  origins: list({
    env: 'SPILLWAY_ORIGINS',
    describe:
      'Comma-separated origins of other sites whose pages may call api and watch, e.g. https://app.example.com.',
    fallback: [],
  }),
  hosts: list({
    env: 'SPILLWAY_HOSTS',
    describe:
      'Comma-separated names under which an open Spillway (no keys) may be called; only loopback names while it is bound to loopback, any otherwise.',
    fallback: [],
  }),
  logLevel: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    env: 'SPILLWAY_LOG_LEVEL',
    describe: 'Least severe level that is logged.',
    fallback: 'info',
  }),
  logFormat: oneOf(['json', 'pretty'], {
    env: 'SPILLWAY_LOG_FORMAT',
    describe: 'json for machines, pretty for people.',
    fallback: 'json',
  }),
  files: text({
    env: 'SPILLWAY_FILES',
    describe: 'Where files live: a folder, or s3://bucket/prefix?endpoint=…&region=…&forcePathStyle=true.',
    fallback: '.spillway/files',
  }),
  fileLimitBytes: integer({
    env: 'SPILLWAY_FILE_LIMIT_BYTES',
    describe: 'Largest file that is stored.',
    fallback: 1_073_741_824,
    min: 1,
    max: 1_099_511_627_776,
  }),
  bodyLimitBytes: integer({
    env: 'SPILLWAY_BODY_LIMIT_BYTES',
    describe: 'Largest JSON body; larger inputs are files.',
    fallback: 262_144,
    min: 1024,
    max: 16_777_216,
  }),
  resultLimitBytes: integer({
    env: 'SPILLWAY_RESULT_LIMIT_BYTES',
    describe: 'Largest result as JSON; larger ones are files.',
    fallback: 262_144,
    min: 1024,
    max: 16_777_216,
  }),
  // At least as long as completed jobs are kept: a key that is forgotten before its job would let a repeat make another.
  idempotencyTtlS: integer({
    env: 'SPILLWAY_IDEMPOTENCY_TTL_S',
    describe: 'How long an idempotency key is remembered, in seconds, beside the delay of its job; a day at least.',
    fallback: 86_400,
    min: 86_400,
    max: 31_536_000,
  }),
  jobs: optionalText({
    env: 'SPILLWAY_JOBS',
    describe: 'Your own job folder or module, beside the built-in types.',
    fallback: undefined,
    shown: '',
  }),
  workerProcesses: processes({
    env: 'WORKER_PROCESSES',
    describe: 'Processes of one worker service; auto is one per core.',
    fallback: 1,
  }),
  targetWaitMs: integer({
    env: 'SPILLWAY_TARGET_WAIT_MS',
    describe:
      'How long jobs may wait in line, for the advised number of workers in /v1/scaling and /metrics. Much less than the ten seconds or so that a new worker takes to start cannot be held by adding workers.',
    fallback: 10_000,
    min: 100,
    max: 86_400_000,
  }),
  workerConcurrency: integer({
    env: 'WORKER_CONCURRENCY',
    describe: 'Jobs that one worker process runs at once in each queue.',
    fallback: 10,
    min: 1,
    max: 1000,
  }),
  workerQueues: list({
    env: 'WORKER_QUEUES',
    describe:
      'Queues to serve, comma-separated `<queue>` or `<queue>:<jobs at once>`; empty means all of the loaded types.',
    fallback: [],
  }),
  workerStopMs: integer({
    env: 'WORKER_STOP_MS',
    describe: 'How long a stopping worker lets its jobs finish.',
    fallback: 10_000,
    min: 0,
    max: 3_600_000,
  }),
  cancelGraceMs: integer({
    env: 'WORKER_CANCEL_GRACE_MS',
    describe: 'How long a cancelled job may take to stop by itself, where its type does not say; then it is given up.',
    fallback: 5000,
    min: 0,
    max: 600_000,
  }),
  healthFile: optionalText({
    env: 'SPILLWAY_HEALTH_FILE',
    describe: 'File that a worker touches every second while Redis answers, and removes while it does not.',
    fallback: undefined,
    shown: '',
  }),
  paths: list({
    env: 'SPILLWAY_PATHS',
    describe: 'Folders that jobs may read `path:` references from, comma-separated.',
    fallback: [],
  }),
  allowPrivate: list({
    env: 'SPILLWAY_ALLOW_PRIVATE',
    describe: 'Private addresses that jobs may call: `true` for all, or hosts and CIDR ranges, comma-separated.',
    fallback: [],
  }),
  deliverSecret: text({
    env: 'SPILLWAY_DELIVER_SECRET',
    describe: 'Signs the calls of http.deliver (Standard Webhooks); unsigned where empty.',
    fallback: '',
    secret: true,
  }),
  apiUrl: url(['http:', 'https:'], {
    env: 'SPILLWAY_URL',
    describe: 'Where autoscaler reaches api.',
    fallback: 'http://127.0.0.1:3000',
  }),
  apiKey: text({
    env: 'SPILLWAY_KEY',
    describe: 'Key with the scope `read` that autoscaler shows to api; none where api is open.',
    fallback: '',
    secret: true,
  }),
  autoscalerMode: oneOf(['advise', 'docker'], {
    env: 'AUTOSCALER_MODE',
    describe: '`advise` tells what it would do; `docker` starts and stops containers of the compose service.',
    fallback: 'advise',
  }),
  // One stays at least: it is what the others are cloned from.
  autoscalerMin: integer({
    env: 'AUTOSCALER_MIN',
    describe: 'Fewest workers.',
    fallback: 1,
    min: 1,
    max: 1000,
  }),
  autoscalerMax: integer({
    env: 'AUTOSCALER_MAX',
    describe: 'Most workers; also the highest number that its socket proxy lets a container have.',
    fallback: 10,
    min: 1,
    max: 1000,
  }),
  autoscalerCooldownMs: integer({
    env: 'AUTOSCALER_COOLDOWN_MS',
    describe: 'For how long the advice must have been lower before workers are stopped.',
    fallback: 300_000,
    min: 1000,
    max: 86_400_000,
  }),
  autoscalerIntervalMs: integer({
    env: 'AUTOSCALER_INTERVAL_MS',
    describe: 'How often autoscaler asks for advice.',
    fallback: 5000,
    min: 500,
    max: 600_000,
  }),
  autoscalerQueues: list({
    env: 'AUTOSCALER_QUEUES',
    describe: 'Queues that the workers serve, comma-separated; empty means all.',
    fallback: [],
  }),
  autoscalerPort: integer({
    env: 'AUTOSCALER_PORT',
    describe: 'Port of autoscaler, or of its socket proxy; 0 takes any free one.',
    fallback: 3002,
    min: 0,
    max: 65535,
  }),
  autoscalerProject: text({
    env: 'AUTOSCALER_PROJECT',
    describe: 'Compose project whose containers are scaled.',
    fallback: 'spillway',
  }),
  autoscalerService: text({
    env: 'AUTOSCALER_SERVICE',
    describe: 'Compose service that is scaled.',
    fallback: 'worker',
  }),
  autoscalerEngineUrl: url(['http:'], {
    env: 'AUTOSCALER_ENGINE_URL',
    describe: 'Where autoscaler reaches its socket proxy.',
    fallback: 'http://127.0.0.1:2375',
  }),
  autoscalerEngineSocket: text({
    env: 'AUTOSCALER_ENGINE_SOCKET',
    describe: 'Socket of the container engine, for the socket proxy.',
    fallback: '/var/run/docker.sock',
  }),
} as const;

export type Config = { readonly [K in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[K]['parse']> };
