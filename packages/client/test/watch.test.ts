import { ApiError } from '../src/index.ts';
import { lines, openHouse } from './house.ts';
import { JOB, until } from './live-server.ts';

const OTHER = JOB.replace(/D$/, 'E');

test('a watcher gets the snapshot, then every change, and done at the end', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  const states: string[] = [];
  watch.onChange(({ job }) => states.push(`${job.state} ${job.progress?.fraction ?? '-'}`));
  await until(() => watch.current !== undefined);

  server.change({ kind: 'state', state: 'active' });
  server.change({ kind: 'report', progress: { fraction: 0.5 }, log: [{ n: 0, line: 'half' }] });
  server.change({ kind: 'state', state: 'completed', result: { sum: 3 } });
  const end = await watch.done;

  expect(states).toEqual(['waiting -', 'active -', 'active 0.5', 'completed 0.5']);
  expect(end.job).toMatchObject({ state: 'completed', result: { sum: 3 }, attempt: 1 });
  expect(lines(end)).toEqual(['0 half']);
  expect(client.connection.state).toBe('idle');
});

test('events that overtake the answer to a watch are applied after it, once', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  let open = () => {};
  server.gate = new Promise((resolve) => (open = resolve));
  const watch = client.watch(JOB);
  await until(() => server.asked.length === 1);

  const included = server.truth();
  server.change({ kind: 'state', state: 'active' });
  server.change({ kind: 'report', log: [{ n: 0, line: 'early' }] });
  server.tell([{ job: JOB, pos: included.cursor.pos, at: 0, kind: 'state', state: 'delayed' }]);
  open();
  await until(() => watch.current?.log.length === 1);

  expect(watch.current?.job.state).toBe('active');
  expect(lines(watch.current)).toEqual(['0 early']);
});

test('the async iterator yields states up to the final one and then ends', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const seen: string[] = [];
  for await (const { job } of client.watch(JOB)) {
    seen.push(job.state);
    if (job.state === 'waiting') server.change({ kind: 'state', state: 'active' });
    if (job.state === 'active')
      server.change({ kind: 'state', state: 'failed', error: { code: 'handler_failed', message: 'no' } });
  }
  expect(seen).toEqual(['waiting', 'active', 'failed']);
});

test('leaving the iterator early closes the watch and the connection', async () => {
  await using house = await openHouse();
  const { client } = house;
  const watch = client.watch(JOB);
  for await (const _job of watch) break;
  await expect(watch.done).rejects.toThrow('closed before the job ended');
  expect(client.connection.state).toBe('idle');
});

describe.each(['cut', 'sendAway'] as const)('after a connection that ended by %s', (fault) => {
  test('the watcher comes back with its cursor and misses nothing', async () => {
    await using house = await openHouse();
    const { server, client } = house;
    const watch = client.watch(JOB);
    const fractions: number[] = [];
    watch.onChange(({ job }) => fractions.push(job.progress?.fraction ?? 0));
    await until(() => watch.current !== undefined);
    server.change({ kind: 'state', state: 'active' });
    server.change({ kind: 'report', progress: { fraction: 0.2 }, log: [{ n: 0, line: 'before' }] });
    await until(() => watch.current?.log.length === 1);

    server[fault]();
    await until(() => client.connection.state === 'reconnecting');
    server.change({ kind: 'report', progress: { fraction: 0.7 }, log: [{ n: 1, line: 'meanwhile' }] });
    await until(() => client.connection.state === 'live');
    server.change({ kind: 'report', log: [{ n: 2, line: 'after' }] });
    server.change({ kind: 'state', state: 'completed' });
    const end = await watch.done;

    expect(lines(end)).toEqual(['0 before', '1 meanwhile', '2 after']);
    expect(server.asked.at(-1)).toEqual([{ job: JOB, after: { pos: expect.any(String), log: 1, output: 0 } }]);
    expect(fractions).toEqual(fractions.toSorted());
  });
});

test('an end that came while the line was down is seen on return', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.cut();
  server.change({ kind: 'state', state: 'cancelled', error: { code: 'cancelled', message: 'not needed' } });
  expect((await watch.done).job.error?.message).toBe('not needed');
});

test('a declared loss makes the watcher ask again from its cursor', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.lost.add(server.nextPosition);
  server.change({ kind: 'report', log: [{ n: 0, line: 'lost on the way' }] });
  server.resync();
  await until(() => watch.current?.log.length === 1);
  expect(server.asked).toHaveLength(2);
});

test('a missing log number makes the watcher ask again instead of leaving a hole', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.lost.add(server.nextPosition);
  server.change({ kind: 'report', log: [{ n: 0, line: 'lost on the way' }] });
  server.change({ kind: 'report', log: [{ n: 1, line: 'heard' }] });
  await until(() => watch.current?.log.length === 2);
  expect(lines(watch.current)).toEqual(['0 lost on the way', '1 heard']);
});

test('a server whose history went back is believed', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  const kept = server.truth();
  server.change({ kind: 'report', progress: { fraction: 0.9 }, log: [{ n: 0, line: 'never written to disk' }] });
  await until(() => watch.current?.log.length === 1);
  server.rollBack(kept);
  server.resync();
  await until(() => watch.current?.log.length === 0);
  expect(watch.current?.job.progress).toBeUndefined();
});

test('several watches share one connection and one question', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.add(OTHER);
  const watches = [client.watch(JOB), client.watch(OTHER), client.watch(JOB)];
  await until(() => watches.every(({ current }) => current !== undefined));
  expect(server.connections).toBe(1);
  expect(server.asked).toEqual([[{ job: JOB }, { job: OTHER }]]);

  watches[0]?.close();
  watches[0]?.close();
  server.change({ kind: 'state', state: 'completed' });
  server.change({ kind: 'state', state: 'completed' }, OTHER);
  await Promise.all(watches.slice(1).map(({ done }) => done));
  await expect(watches[0]?.done).rejects.toThrow('closed');
});

test('a watch of a job that is known already starts from what is held', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const first = client.watch(JOB);
  await until(() => first.current !== undefined);
  expect(client.watch(JOB).current).toBe(first.current);
  expect(server.asked).toHaveLength(1);
});

test('a job that does not exist is refused with its code', async () => {
  await using house = await openHouse();
  const watch = house.client.watch(OTHER);
  await expect(watch.done).rejects.toThrow(ApiError);
  await expect(watch.done).rejects.toMatchObject({ code: 'job_not_found', status: 404, retryable: false });
});

test('a job that is removed before its end ends the watch with an error', async () => {
  await using house = await openHouse();
  const watch = house.client.watch(JOB);
  await until(() => watch.current !== undefined);
  house.server.change({ kind: 'removed' });
  await expect(watch.done).rejects.toMatchObject({ code: 'job_not_found' });
});

test('a watch that cannot be answered now is asked for again', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.refusal = { code: 'unavailable', message: 'Redis is away' };
  const watch = client.watch(JOB);
  await until(() => server.asked.length === 1);
  server.refusal = undefined;
  await until(() => watch.current !== undefined);
});

test('a refused key ends every watch with the reason', async () => {
  await using house = await openHouse();
  house.server.handshakeRefusal = { code: 'unauthorized', message: 'No key came with the connection' };
  const watches = [house.client.watch(JOB), house.client.watch(OTHER)];
  for (const { done } of watches) await expect(done).rejects.toMatchObject({ code: 'unauthorized', status: 401 });
  expect(house.client.connection.state).toBe('idle');
});

test('a server that is full is tried again', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.handshakeRefusal = { code: 'unavailable', message: 'too many connections' };
  const watch = client.watch(JOB);
  await until(() => client.connection.state === 'reconnecting');
  server.handshakeRefusal = undefined;
  await until(() => watch.current !== undefined);
});

test('raw events come once each and in order, without those that a snapshot held already', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  const seen: string[] = [];
  watch.onEvents((events) => seen.push(...events.map(({ pos, kind }) => `${pos} ${kind}`)));
  await until(() => watch.current !== undefined);
  const active = server.change({ kind: 'state', state: 'active' });
  server.tell([active]);
  const report = server.change({ kind: 'report', log: [{ n: 0, line: 'a' }] });
  const end = server.change({ kind: 'state', state: 'completed' });
  await watch.done;
  expect(seen).toEqual([`${active.pos} state`, `${report.pos} report`, `${end.pos} state`]);
});

test('an end in the same frame as a hole is not told without the lines that are missing', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  for (const _lost of [0, 1, 2]) server.lost.add(`${Number.parseInt(server.nextPosition, 10) + _lost}-0`);
  server.change({ kind: 'report', log: [{ n: 0, line: 'lost' }] });
  const last = server.change({ kind: 'report', log: [{ n: 1, line: 'last' }] });
  const end = server.change({ kind: 'state', state: 'completed' });
  server.tell([last, end]);
  expect(lines(await watch.done)).toEqual(['0 lost', '1 last']);
});

test('after Redis began another life, everything that was held is replaced', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.rollBack({ ...server.truth(), cursor: { ...server.truth().cursor, epoch: 'first' } });
  server.resync();
  server.change({ kind: 'report', log: ['a', 'b', 'c'].map((line, n) => ({ n, line })) });
  await until(() => watch.current?.log.length === 3);
  server.rollBack({
    ...server.truth(),
    cursor: { pos: '3-0', log: 2, output: 0, epoch: 'second' },
    log: [
      { n: 0, line: 'other a' },
      { n: 1, line: 'other b' },
    ],
  });
  server.resync();
  await until(() => watch.current?.cursor.epoch === 'second');
  expect(lines(watch.current)).toEqual(['0 other a', '1 other b']);
});

test('a watch holds a bounded number of lines, and says which are the first', async () => {
  await using house = await openHouse({ linesMax: 3 });
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  for (let n = 0; n < 5; n += 1) server.change({ kind: 'report', log: [{ n, line: 'x' }], output: [{ n, chunk: n }] });
  await until(() => watch.current?.cursor.log === 5);
  expect(watch.current).toMatchObject({ log: [{ n: 2 }, { n: 3 }, { n: 4 }], first: { log: 2, output: 2 } });
  server.cut();
  await until(() => client.connection.state === 'reconnecting');
  server.change({ kind: 'report', log: [{ n: 5, line: 'x' }] });
  await until(() => watch.current?.cursor.log === 6);
  expect(watch.current?.log.map(({ n }) => n)).toEqual([3, 4, 5]);
});
