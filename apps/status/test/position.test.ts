import type { JobEvent, PlaceInLine, Snapshot, SubmitReply } from '@spillway/contracts';
import type { Position, Reader } from '@spillway/queue/reader';
import { call, startSpillway, until } from '@spillway/testkit';
import { isNews, watchPositions } from '../src/positions.ts';
import { connect, follow } from './watcher.ts';

const TOLD: PlaceInLine = { ahead: 100, startsInMs: 40_000, reason: 'workers_busy', at: '2026-01-02T03:04:00.000Z' };

test.each<[boolean, string, PlaceInLine | undefined, Partial<PlaceInLine>]>([
  [true, 'the first place', undefined, {}],
  [false, 'the same again', TOLD, {}],
  [false, 'an estimate that counts down as time passes', TOLD, { startsInMs: 30_000, at: '2026-01-02T03:04:10.000Z' }],
  [true, 'an estimate that does not', TOLD, { at: '2026-01-02T03:04:10.000Z' }],
  [false, 'a step far from the head', TOLD, { ahead: 98 }],
  [true, 'a twentieth of the way', TOLD, { ahead: 95 }],
  [true, 'a step near the head', { ...TOLD, ahead: 3 }, { ahead: 2 }],
  [true, 'another reason', TOLD, { reason: 'queue_paused' }],
  [true, 'an estimate that is lost', TOLD, { startsInMs: undefined }],
  [
    false,
    'an overdue estimate that stays',
    { ...TOLD, startsInMs: 0 },
    { startsInMs: 500, at: '2026-01-02T03:05:00.000Z' },
  ],
])('it is %s that watchers are told of %s', (expected, _what, told, now) => {
  expect(isNews(told, { ...TOLD, ...now })).toBe(expected);
});

/** A position watch over a line that the test arranges; every look into it is recorded. */
function watchLine() {
  const line = new Map<string, Position>();
  const [heard, looks, told]: [Set<string>, string[][], JobEvent[]] = [new Set(), [], []];
  const positions = async (ids: readonly string[]) => {
    looks.push([...ids]);
    return new Map(ids.flatMap((id) => (line.has(id) ? [[id, line.get(id) as Position] as const] : [])));
  };
  const snapshot = async (id: string) => ({ job: { id, state: line.has(id) ? 'waiting' : 'active' } }) as Snapshot;
  const relay = {
    onEvents: (events: JobEvent[]) => void told.push(...events),
    onGap: () => undefined,
    isHeard: (job: string) => heard.has(job),
  };
  const reader = { positions, snapshot } as unknown as Reader;
  const watch = watchPositions({ reader, relay, onError: (error) => told.push(error as JobEvent) });
  const place = (id: string, ahead: number) => {
    heard.add(id);
    line.set(id, { pos: '5-0', position: { ahead, reason: 'workers_busy', at: '2026-01-02T03:04:00.000Z' } });
  };
  return { watch, reader: watch.observe(reader), line, heard, looks, told, place };
}

test('jobs that are watched while they wait are asked about together, and nobody else is', async () => {
  const { watch, reader, looks, told, place } = watchLine();
  place('q.a', 3);
  place('q.b', 4);
  for (const id of ['q.a', 'q.b', 'q.running']) await reader.snapshot(id);
  await until('a look', () => looks.length > 0);
  watch.close();
  expect(looks[0]).toEqual(['q.a', 'q.b']);
  expect(told).toMatchObject([
    { job: 'q.a', kind: 'position', pos: '5-0', position: { ahead: 3 } },
    { job: 'q.b', kind: 'position' },
  ]);
});

test('a job that has started, ended or lost its watchers is asked about no more', async () => {
  const { watch, reader, heard, looks, place } = watchLine();
  for (const [ahead, id] of ['q.started', 'q.left', 'q.gone', 'q.stays'].entries()) place(id, ahead);
  for (const id of ['q.started', 'q.left', 'q.gone', 'q.stays']) await reader.snapshot(id);
  const at = { pos: '6-0', at: 1 };
  watch.onEvents([
    { ...at, job: 'q.started', kind: 'state', state: 'active' },
    { ...at, job: 'q.gone', kind: 'removed' },
  ]);
  heard.delete('q.left');
  await until('a look', () => looks.length > 0);
  watch.close();
  expect(looks[0]).toEqual(['q.stays']);
});

test('a job that waits again is asked about again, and what was found no longer waiting is not', async () => {
  const { watch, looks, line, place } = watchLine();
  place('q.again', 0);
  place('q.taken', 1);
  line.delete('q.taken');
  const waits = { pos: '6-0', at: 1, kind: 'state', state: 'waiting' } as const;
  watch.onEvents([
    { ...waits, job: 'q.again' },
    { ...waits, job: 'q.taken' },
  ]);
  await until('two looks', () => looks.length > 1);
  watch.close();
  expect(looks.slice(0, 2)).toEqual([['q.again', 'q.taken'], ['q.again']]);
});

test('a watcher sees a job move up in its line and loses the place with the start, live and over HTTP', async () => {
  await using spillway = await startSpillway({ env: { WORKER_CONCURRENCY: '1' } });
  const submit = async (input: object) =>
    (await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type: 'demo.steps', input })).body.id;
  const ids: string[] = [];
  for (let n = 0; n < 4; n += 1) ids.push(await submit({ steps: 10, stepMs: 150 }));
  const last = ids[3] ?? '';
  await using watcher = await connect(spillway.status.url);
  const follower = await follow(watcher, last);
  expect(follower.held()?.job.position?.ahead).toBeGreaterThan(0);
  const { body } = await call<SubmitReply>(spillway.url, 'GET', `/v1/jobs/${last}`);
  expect(body.position).toMatchObject({ reason: expect.stringMatching(/^(workers_busy|next)$/) });
  await until('the next place', () => follower.held()?.job.position?.reason === 'next');
  await until('the start', () => follower.held()?.job.state === 'active');
  expect(follower.held()?.job.position).toBeUndefined();
  const places = watcher.events.flatMap((event) => (event.kind === 'position' ? [event.position.ahead] : []));
  expect(places).toEqual([...places].sort((a, b) => b - a));
  await until('the end', () => follower.held()?.job.state === 'completed');
});
