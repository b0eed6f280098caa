import { parseOptions } from '../start/options.mjs';

test('without options, the ports are 3000 and the next one, with one worker and a Redis of its own', () => {
  expect(parseOptions([], {})).toEqual({
    port: 3000,
    statusPort: undefined,
    workers: 1,
    redisUrl: undefined,
    watch: false,
    help: false,
  });
});

test('the command line wins over the environment', () => {
  const env = { SPILLWAY_PORT: '4000', SPILLWAY_STATUS_PORT: '4500', REDIS_URL: 'redis://a' };
  expect(parseOptions([], env)).toMatchObject({ port: 4000, statusPort: 4500, redisUrl: 'redis://a' });
  const argv = ['--port', '5000', '--redis', 'redis://b', '--workers', '3'];
  expect(parseOptions(argv, env)).toMatchObject({ port: 5000, redisUrl: 'redis://b', workers: 3 });
});

test.each([
  [['--bogus'], '--bogus'],
  [['stray'], 'stray'],
  [['--workers', '0'], '--workers: expected a whole number from 1 to 64, got "0"'],
  [['--port', 'http'], '--port: expected a whole number from 0 to 65534, got "http"'],
])('%j is refused with exit code 2, naming what is wrong', (argv, message) => {
  expect(() => parseOptions(argv, {})).toThrow(
    expect.objectContaining({ message: expect.stringContaining(message), exitCode: 2 }),
  );
});
