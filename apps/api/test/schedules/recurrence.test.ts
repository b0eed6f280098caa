import type { ScheduleRequest } from '@spillway/contracts';
import { firstTick, readRecurrence } from '../../src/schedules/recurrence.ts';
import { comingTicks } from '../../src/schedules/ticks.ts';

type Times = Partial<ScheduleRequest>;

function ticks(times: Times, from: string, most: number): string[] {
  const next = readRecurrence(times, Date.parse(from));
  return comingTicks(next, next(Date.parse(from)), most).map((tick) => new Date(tick).toISOString().slice(0, 16));
}

const BERLIN = 'Europe/Berlin';
const NEW_YORK = 'America/New_York';

test.each<[string, string, string, string, string[]]>([
  [
    'a time that Berlin skips is an hour later by the clock, that day',
    '30 2 * * *',
    BERLIN,
    '2026-03-28T12:00Z',
    ['2026-03-29T01:30', '2026-03-30T00:30'],
  ],
  [
    'a time that New York skips is an hour later by the clock, that day',
    '30 2 * * *',
    NEW_YORK,
    '2026-03-07T12:00Z',
    ['2026-03-08T07:30', '2026-03-09T06:30'],
  ],
  [
    'a time that Berlin has twice comes once, the first time',
    '30 2 * * *',
    BERLIN,
    '2026-10-24T12:00Z',
    ['2026-10-25T00:30', '2026-10-26T01:30'],
  ],
  [
    'a time that New York has twice comes once, the first time',
    '30 1 * * *',
    NEW_YORK,
    '2026-10-31T12:00Z',
    ['2026-11-01T05:30', '2026-11-02T06:30'],
  ],
  [
    'every hour goes on through the hour that Berlin has twice',
    '0 * * * *',
    BERLIN,
    '2026-10-24T23:30Z',
    ['2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00', '2026-10-25T03:00'],
  ],
  [
    'every half hour goes on through the hour that New York has twice',
    '*/30 * * * *',
    NEW_YORK,
    '2026-11-01T04:45Z',
    ['2026-11-01T05:00', '2026-11-01T05:30', '2026-11-01T06:00', '2026-11-01T06:30', '2026-11-01T07:00'],
  ],
  [
    'every hour has no gap and nothing twice where Berlin skips one',
    '0 * * * *',
    BERLIN,
    '2026-03-28T23:30Z',
    ['2026-03-29T00:00', '2026-03-29T01:00', '2026-03-29T02:00'],
  ],
  [
    'two times of which one is skipped and shown as the other come once',
    '30 2,3 * * *',
    BERLIN,
    '2026-03-28T23:00Z',
    ['2026-03-29T01:30', '2026-03-30T00:30', '2026-03-30T01:30'],
  ],
  [
    'midnight comes on the day that begins at one',
    '0 0 * * *',
    'America/Havana',
    '2026-03-07T12:00Z',
    ['2026-03-08T05:00', '2026-03-09T04:00'],
  ],
  [
    'a clock that is moved by half an hour is read right',
    '15 2 * * *',
    'Australia/Lord_Howe',
    '2026-10-02T12:00Z',
    ['2026-10-02T15:45', '2026-10-03T15:45', '2026-10-04T15:15'],
  ],
  [
    'weekdays are those of the zone',
    '0 9 * * 1-5',
    BERLIN,
    '2026-11-27T12:00Z',
    ['2026-11-30T08:00', '2026-12-01T08:00'],
  ],
  ['@daily is midnight', '@daily', BERLIN, '2026-11-27T12:00Z', ['2026-11-27T23:00', '2026-11-28T23:00']],
  ['a leap day is waited for', '0 0 29 2 *', 'UTC', '2026-11-27T12:00Z', ['2028-02-29T00:00', '2032-02-29T00:00']],
])('%s', (_what, cron, timezone, from, expected) => {
  expect(ticks({ cron, timezone }, from, expected.length)).toEqual(expected);
});

test('six fields begin with seconds', () => {
  const next = readRecurrence({ cron: '*/20 * * * * *' }, 0);
  expect(comingTicks(next, next(0), 4)).toEqual([20_000, 40_000, 60_000, 80_000]);
});

test.each([
  ['30 2 * * *', BERLIN],
  ['*/20 * * * *', BERLIN],
  ['15,45 1-3 * * *', BERLIN],
  ['10 */2 * * *', NEW_YORK],
  ['*/30 2 * * *', 'Australia/Lord_Howe'],
  ['0 0,1 * * *', 'America/Havana'],
])('%s in %s has the same ticks wherever one begins to ask, around both changes of the clock', (cron, timezone) => {
  const next = readRecurrence({ cron, timezone }, 0);
  for (const around of ['2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01']) {
    const from = Date.parse(around) - 86_400_000;
    const all = comingTicks(next, next(from), 200).filter((tick) => tick < from + 3 * 86_400_000);
    expect([...all].sort((a, b) => a - b)).toEqual(all);
    for (let after = from; after < (all.at(-1) ?? 0); after += 17 * 60_000)
      expect([after, next(after)]).toEqual([after, all.find((tick) => tick > after)]);
  }
});

test('an interval counts from its start, or else from when it was put', () => {
  const from = '2026-11-27T12:00:30Z';
  expect(ticks({ everyMs: 3_600_000 }, from, 2)).toEqual(['2026-11-27T13:00', '2026-11-27T14:00']);
  const startAt = '2026-11-20T00:05:00Z';
  expect(ticks({ everyMs: 3_600_000, startAt }, from, 2)).toEqual(['2026-11-27T12:05', '2026-11-27T13:05']);
  expect(ticks({ everyMs: 3_600_000, startAt: '2026-12-01T08:00:00Z' }, from, 1)).toEqual(['2026-12-01T08:00']);
});

test('start and end are ticks themselves, and nothing is outside', () => {
  const times = { cron: '0 9 * * *', startAt: '2026-12-01T09:00:00Z', endAt: '2026-12-02T09:00:00Z' };
  expect(ticks(times, '2026-11-27T12:00Z', 5)).toEqual(['2026-12-01T09:00', '2026-12-02T09:00']);
});

test.each<[string, Times, string, string]>([
  ['neither cron nor everyMs', {}, '/cron', 'expected cron or everyMs, got neither'],
  ['both', { cron: '@daily', everyMs: 1000 }, '/everyMs', 'expected none beside cron, got 1000'],
  ['a zone beside everyMs', { everyMs: 1000, timezone: BERLIN }, '/timezone', 'expected none beside everyMs'],
  ['a zone that nobody knows', { cron: '@daily', timezone: 'Mars/Base' }, '/timezone', 'got "Mars/Base"'],
  ['an offset as a zone', { cron: '@daily', timezone: '+02:00' }, '/timezone', 'got "+02:00"'],
  ['a time that is none', { cron: '61 0 * * *' }, '/cron', 'got "61 0 * * *"'],
  ['three fields', { cron: '* * *' }, '/cron', 'expected five or six fields'],
  ['seven fields', { cron: '0 0 0 1 1 * 2027' }, '/cron', 'expected five or six fields'],
  ['an alias that is none', { cron: '@reboot' }, '/cron', 'expected five or six fields'],
  ['times drawn at random', { cron: 'H H * * *' }, '/cron', 'got H'],
  ['a day that no month has', { cron: '0 0 30 2 *' }, '/cron', 'got "0 0 30 2 *"'],
  ['a day that these months do not have', { cron: '0 0 31 4,6 *' }, '/cron', 'which never do'],
  ['an end before the first tick', { cron: '@yearly', endAt: '2026-12-31T23:59:59Z' }, '/endAt', 'first tick'],
  ['a start in a hundred years', { everyMs: 1000, startAt: '2126-01-01T00:00:00Z' }, '/startAt', 'within 10 years'],
])('%s is refused, and it is said why', (_what, times, pointer, message) => {
  const now = Date.parse('2026-11-27T12:00:00Z');
  const problem = { code: 'invalid_request', errors: [{ pointer, message: expect.stringContaining(message) }] };
  expect(() => firstTick(times, now)).toThrow(expect.objectContaining(problem));
});
