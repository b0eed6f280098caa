import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beat, checkReadiness } from '@spillway/runtime';
import { until } from '@spillway/testkit';

const never = () => new Promise<never>(() => undefined);

test('ready is who passes every check', async () => {
  const checks = { redis: async () => 'PONG', disk: async () => undefined };
  expect(await checkReadiness(checks)).toEqual({ ready: true, checks: { redis: 'ok', disk: 'ok' } });
  expect(await checkReadiness({})).toEqual({ ready: true, checks: {} });
});

test('every check that fails is named with its reason, and a hanging one counts as failed', async () => {
  const readiness = await checkReadiness({
    good: async () => undefined,
    refused: () => Promise.reject(new Error('connection refused')),
    odd: () => Promise.reject('out of words'),
    broken: () => {
      throw new Error('broke before it could wait');
    },
    hanging: never,
    another: never,
  });
  expect(readiness).toEqual({
    ready: false,
    checks: {
      good: 'ok',
      refused: 'connection refused',
      odd: 'out of words',
      broken: 'broke before it could wait',
      hanging: 'no answer within 1000 ms',
      another: 'no answer within 1000 ms',
    },
  });
});

describe('a beat', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spillway-beat-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('touches the file while the check passes', async () => {
    const file = join(folder, 'alive');
    const stop = beat(file, async () => 'PONG');
    const writtenAt = await until('the file', async () => Number(await readFile(file, 'utf8')));
    stop();
    expect(writtenAt).toBeGreaterThan(1_700_000_000_000);
  });

  test('takes the file away while the check fails, puts it back, and does neither after its end', async () => {
    const file = join(folder, 'sometimes');
    const isThere = () => existsSync(file);
    let isWell = true;
    let checks = 0;
    const stop = beat(file, async () => {
      checks += 1;
      if (!isWell) throw new Error('Redis is away');
    });
    await until('the file', isThere);
    isWell = false;
    await until('the file to be gone', () => !isThere());
    isWell = true;
    await until('the file to be back', isThere);
    jest.useFakeTimers();
    try {
      stop();
      const before = checks;
      await jest.advanceTimersByTimeAsync(60_000);
      expect(checks).toBe(before);
    } finally {
      jest.useRealTimers();
    }
  });

  test('leaves no file while the check fails', async () => {
    const file = join(folder, 'dead');
    let asked = false;
    const stop = beat(file, async () => {
      asked = true;
      throw new Error('Redis is away');
    });
    await until('the check', () => asked);
    stop();
    await expect(readFile(file)).rejects.toThrow('ENOENT');
  });

  test('does not end the process when the file cannot be written', async () => {
    let checks = 0;
    const stop = beat(join(folder, 'no', 'such', 'folder'), async () => {
      checks += 1;
    });
    await until('the check', () => checks === 1);
    stop();
  });
});
