import type { PlaceInLine } from '@spillway/contracts';
import { placeText } from '../src/place.ts';

const AT = '2026-01-02T03:04:00.000Z';

test.each<[string, Partial<PlaceInLine>, number?]>([
  ['12th in line, about 40 s', { ahead: 11, startsInMs: 41_000 }],
  ['12th in line, about 10 s', { ahead: 11, startsInMs: 41_000 }, 31_000],
  ['12th in line, any moment', { ahead: 11, startsInMs: 41_000 }, 90_000],
  ['2nd in line, about 3 s', { ahead: 1, startsInMs: 3400 }],
  ['3rd in line', { ahead: 2 }],
  ['11th in line', { ahead: 10 }],
  ['1,021st in line, about 3 min', { ahead: 1020, startsInMs: 180_000 }],
  ['113th in line, about 3 h', { ahead: 112, startsInMs: 10_000_000 }],
  ['next, any moment', { ahead: 0, startsInMs: 0, reason: 'next' }],
  ['5th in line, the queue is paused', { ahead: 4, reason: 'queue_paused' }],
  ['next, no worker runs its type', { ahead: 0, reason: 'no_worker' }],
  ['9th in line, the queue is at its limit, about 30 s', { ahead: 8, startsInMs: 30_000, reason: 'queue_limited' }],
  ['', { ahead: 8, startsInMs: 30_000, reason: 'delayed' }],
])('somebody who waits reads %j', (text, place, laterMs = 0) => {
  expect(placeText({ ahead: 0, reason: 'workers_busy', at: AT, ...place }, Date.parse(AT) + laterMs)).toBe(text);
});
