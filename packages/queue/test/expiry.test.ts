import { openSandbox, until } from '@spillway/testkit';
import { expiryOf } from '../src/consumer/expiry.ts';
import { COMPLETED, consume, openQueue, TYPE } from './fixture.ts';

const EXPIRED = { kind: 'failed', error: { code: 'expired', message: expect.any(String) }, retry: false };

test.each([
  ['none', {}, 1, 10_000_000, undefined],
  ['time left', { ttlMs: 100 }, 1, 100, undefined],
  ['none left', { ttlMs: 100 }, 1, 101, EXPIRED],
  ['none left, counted from when it became due', { ttlMs: 100, delay: 50 }, 1, 150, undefined],
  ['none left since it became due', { ttlMs: 100, delay: 50 }, 1, 151, EXPIRED],
  ['none left, but was started before', { ttlMs: 100 }, 2, 101, undefined],
])('a job with %s to live', (_what, opts, attemptsStarted, waitedMs, expected) => {
  expect(expiryOf({ attemptsStarted, timestamp: 1000, opts }, 1000 + waitedMs)).toEqual(expected);
});

test('a job that no worker took in time fails as expired without being run, whatever attempts it has', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const late = await submit({}, { ttlMs: 1, attempts: 3 });
  const typed = await submit({}, {}, { ...TYPE, defaults: { ttlMs: 1 } });
  const patient = await submit({}, { ttlMs: 60_000 });
  await until('its time to pass', () => Date.now() > Date.parse(patient.createdAt) + 2);
  const ran: string[] = [];
  await consume(sandbox, async ({ id }) => {
    ran.push(id);
    return COMPLETED;
  });
  await until(
    'the ends',
    async () => (await reader.job(patient.id)).finishedAt && (await reader.job(typed.id)).finishedAt,
  );
  expect(await reader.job(late.id)).toMatchObject({ state: 'failed', error: EXPIRED.error });
  expect(await reader.job(typed.id)).toMatchObject({ state: 'failed', error: EXPIRED.error });
  expect(ran).toEqual([patient.id]);
});
