import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, ConfigError, checkBind, isLoopback, readConfig, SETTINGS } from '@spillway/runtime';

/** The lines under the heading of what readConfig throws. */
function problemsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split('\n').slice(1);
  }
  return [];
}

describe('the configuration', () => {
  test('of an empty environment is the defaults', () => {
    const fallbacks = Object.entries(SETTINGS).map(([name, { fallback }]) => [name, fallback]);
    expect(readConfig({})).toEqual(Object.fromEntries(fallbacks));
  });

  test.each(Object.values(SETTINGS))('takes an empty $env as none', ({ env }) => {
    expect(readConfig({ [env]: '' })).toEqual(readConfig({}));
    expect(readConfig({ [env]: '  ' })).toEqual(readConfig({}));
  });

  test.each<[string, string, keyof Config, unknown]>([
    ['REDIS_URL', 'rediss://user:pw@redis.example:6380/2', 'redisUrl', 'rediss://user:pw@redis.example:6380/2'],
    ['SPILLWAY_PREFIX', 'a-b_c.d:e', 'prefix', 'a-b_c.d:e'],
    ['SPILLWAY_PORT', '0', 'port', 0],
    ['SPILLWAY_PORT', ' 65535\n', 'port', 65_535],
    ['SPILLWAY_STATUS_URL', 'https://status.example', 'statusUrl', 'https://status.example'],
    ['SPILLWAY_ALLOW_OPEN', 'true', 'allowOpen', true],
    ['SPILLWAY_ALLOW_OPEN', '1', 'allowOpen', true],
    ['SPILLWAY_ALLOW_OPEN', 'false', 'allowOpen', false],
    ['SPILLWAY_ALLOW_OPEN', '0', 'allowOpen', false],
    [
      'SPILLWAY_ORIGINS',
      'https://a.example, https://b.example,',
      'origins',
      ['https://a.example', 'https://b.example'],
    ],
    ['SPILLWAY_ORIGINS', ',', 'origins', []],
    ['SPILLWAY_LOG_LEVEL', 'silent', 'logLevel', 'silent'],
    ['WORKER_PROCESSES', 'auto', 'workerProcesses', 'auto'],
    ['WORKER_PROCESSES', '8', 'workerProcesses', 8],
    ['WORKER_STOP_MS', '0', 'workerStopMs', 0],
    ['SPILLWAY_JOBS', './my jobs', 'jobs', './my jobs'],
  ])('reads %s=%j', (env, raw, name, expected) => {
    expect(readConfig({ [env]: raw })[name]).toEqual(expected);
  });

  test.each([
    ['REDIS_URL', 'localhost:6379', 'a URL that begins with redis:// or rediss://, got something else'],
    ['SPILLWAY_PREFIX', '{a}', '1 to 64 letters, digits and . _ : -, got "{a}"'],
    ['SPILLWAY_PORT', 'http', 'a whole number from 0 to 65535, got "http"'],
    ['SPILLWAY_PORT', '65536', 'a whole number from 0 to 65535, got "65536"'],
    ['SPILLWAY_PORT', '-1', 'a whole number from 0 to 65535, got "-1"'],
    ['SPILLWAY_PORT', '3000.5', 'a whole number from 0 to 65535, got "3000.5"'],
    ['SPILLWAY_STATUS_URL', 'status:3001', 'a URL that begins with http:// or https://, got "status:3001"'],
    ['SPILLWAY_ALLOW_OPEN', 'yes', 'true or false, got "yes"'],
    ['SPILLWAY_LOG_LEVEL', 'loud', 'one of fatal, error, warn, info, debug, trace, silent, got "loud"'],
    ['SPILLWAY_LOG_FORMAT', 'JSON', 'one of json, pretty, got "JSON"'],
    ['WORKER_PROCESSES', '0', 'auto or a whole number from 1 to 256, got "0"'],
    ['WORKER_CONCURRENCY', '0', 'a whole number from 1 to 1000, got "0"'],
  ])('refuses %s=%j and says what it expected', (env, raw, message) => {
    expect(problemsOf({ [env]: raw })).toEqual([`  - ${env}: expected ${message}`]);
  });

  test('reports all problems together, one a line', () => {
    const env = { REDIS_URL: 'nonsense', SPILLWAY_PORT: 'x', SPILLWAY_ALLOW_OPEN: 'maybe', WORKER_CONCURRENCY: '1e9' };
    const named = problemsOf(env).map((line) => /^ {2}- (\w+): expected /.exec(line)?.[1]);
    expect(named).toEqual(Object.keys(env));
  });

  test('cannot be changed by whoever reads it', () => {
    const config = readConfig({ SPILLWAY_PATHS: '/srv/a,/srv/b' });
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError);
    expect(() => config.paths.push('/etc')).toThrow(TypeError);
    expect(() => readConfig({}).paths.push('/etc')).toThrow(TypeError);
    expect(readConfig({}).paths).toEqual([]);
  });

  test('does not mind variables that it does not know', () => {
    expect(readConfig({ SPILLWAY_UNHEARD_OF: 'x', PATH: '/bin' })).toEqual(readConfig({}));
  });
});

describe('a secret', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  let files = 0;
  function file(content: string): string {
    files += 1;
    const path = join(folder, `secret-${files}`);
    writeFileSync(path, content);
    return path;
  }

  const secrets = Object.values(SETTINGS).filter((setting) => 'secret' in setting && setting.secret);

  test('is where Redis is, which keys there are and what signs tokens and deliveries', () => {
    expect(secrets.map(({ env }) => env)).toEqual([
      'REDIS_URL',
      'SPILLWAY_KEYS',
      'SPILLWAY_TOKEN_SECRET',
      'SPILLWAY_DELIVER_SECRET',
      'SPILLWAY_KEY',
    ]);
  });

  test('may come from a file, without the line break at its end', () => {
    const config = readConfig({
      REDIS_URL_FILE: file('redis://:pw@redis:6379\n'),
      SPILLWAY_KEYS_FILE: file('web:submit:abc\nops:admin:def\n'),
      SPILLWAY_DELIVER_SECRET_FILE: file('whsec_x'),
    });
    expect(config).toMatchObject({
      redisUrl: 'redis://:pw@redis:6379',
      keys: 'web:submit:abc\nops:admin:def',
      deliverSecret: 'whsec_x',
    });
  });

  test('may be several where they are changed one after the other, each long enough', () => {
    const [one, two] = ['1'.repeat(32), '2'.repeat(40)];
    expect(readConfig({ SPILLWAY_TOKEN_SECRET: `${one}, ${two}` }).tokenSecret).toEqual([one, two]);
    expect(readConfig({ SPILLWAY_TOKEN_SECRET_FILE: file(`${one}\n`) }).tokenSecret).toEqual([one]);
    for (const raw of ['short', `${one},short`, ',']) {
      expect(problemsOf({ SPILLWAY_TOKEN_SECRET: raw })).toEqual([
        '  - SPILLWAY_TOKEN_SECRET: expected comma-separated secrets of 32 characters or more, got something else',
      ]);
    }
  });

  test.each(secrets)('$env is refused when both it and its file are given', ({ env }) => {
    const both = { [env]: 'redis://given', [`${env}_FILE`]: file('redis://file') };
    expect(problemsOf(both)).toEqual([`  - ${env}: expected the value or ${env}_FILE, got both`]);
  });

  test.each(secrets)('$env is refused when its file cannot be read', ({ env }) => {
    expect(problemsOf({ [`${env}_FILE`]: join(folder, 'missing') })).toEqual([
      `  - ${env}_FILE: expected a readable file, got ${join(folder, 'missing')} (ENOENT)`,
    ]);
    expect(problemsOf({ [`${env}_FILE`]: folder })).toEqual([
      `  - ${env}_FILE: expected a readable file, got ${folder} (EISDIR)`,
    ]);
  });

  test.each(secrets)('$env is refused when its file is empty, rather than taken as not set', ({ env }) => {
    const empty = file('\n');
    expect(problemsOf({ [`${env}_FILE`]: empty })).toEqual([
      `  - ${env}_FILE: expected a file with a value in it, got ${empty}, which is empty`,
    ]);
  });

  test('is never repeated in a message', () => {
    const password = 'correct-horse-battery-staple';
    const messages = [
      ...problemsOf({ REDIS_URL: `http://:${password}@redis`, SPILLWAY_PORT: 'x' }),
      ...problemsOf({ REDIS_URL_FILE: file(`${password}\n`) }),
      ...problemsOf({ REDIS_URL: `redis://:${password}@redis`, REDIS_URL_FILE: file(password) }),
    ];
    expect(messages).toHaveLength(4);
    expect(messages.join('\n')).not.toContain(password);
  });

  test('is the only kind of setting that is read from a file', () => {
    expect(readConfig({ SPILLWAY_PREFIX_FILE: file('other') }).prefix).toBe('spillway');
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['localhost', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['', false],
  ['10.0.0.1', false],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
  ['::ffff:10.0.0.1', false],
])('address %j: reached from this machine only is %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

describe('binding', () => {
  const LOOPBACK = '127.0.0.1';
  const EVERYWHERE = '0.0.0.0';
  const KEYS = 'web:submit:abc';

  test.each([
    { host: LOOPBACK, keys: '', allowOpen: false },
    { host: LOOPBACK, keys: '', allowOpen: true },
    { host: LOOPBACK, keys: KEYS, allowOpen: false },
    { host: LOOPBACK, keys: KEYS, allowOpen: true },
    { host: EVERYWHERE, keys: KEYS, allowOpen: false },
    { host: EVERYWHERE, keys: KEYS, allowOpen: true },
  ])('to $host with keys "$keys" and permission $allowOpen is fine', (config) => {
    expect(checkBind(config)).toBeUndefined();
  });

  test('to every address without keys but with permission is fine, and gives a warning that says so', () => {
    expect(checkBind({ host: EVERYWHERE, keys: '', allowOpen: true })).toBe(
      'OPEN TO ANYONE who can reach 0.0.0.0: no keys are set, and SPILLWAY_ALLOW_OPEN permits it',
    );
  });

  test.each([EVERYWHERE, '::', '192.168.1.5'])('to %s without keys or permission is refused', (host) => {
    expect(() => checkBind({ host, keys: '', allowOpen: false })).toThrow(ConfigError);
    expect(() => checkBind({ host, keys: '', allowOpen: false })).toThrow(
      `SPILLWAY_HOST: expected a loopback address while no keys are set, got "${host}" (set SPILLWAY_KEYS, \`npm run key\` makes one)`,
    );
  });
});
