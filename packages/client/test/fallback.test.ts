import { lines, openHouse } from './house.ts';
import { JOB, until } from './live-server.ts';

const OTHERS = ['E', 'F', 'G', 'H', 'J'].map((last) => JOB.replace(/D$/, last));

/** A house where no WebSocket gets through, with a watch that is served by HTTP. */
async function openBlockedHouse() {
  const house = await openHouse();
  house.server.blocked = true;
  const watch = house.client.watch(JOB);
  await until(() => watch.current !== undefined);
  return { ...house, watch };
}

describe('while WebSockets are blocked', () => {
  test('events come by a stream, with every line once, to the end', async () => {
    await using house = await openBlockedHouse();
    const { server, client, watch } = house;
    expect(client.connection).toMatchObject({ state: 'live', via: 'sse' });
    server.change({ kind: 'state', state: 'active' });
    server.change({ kind: 'report', progress: { fraction: 0.5 }, log: [{ n: 0, line: 'a' }] });
    await until(() => watch.current?.log.length === 1);
    expect(watch.current?.job.progress?.fraction).toBe(0.5);
    server.change({ kind: 'report', log: [{ n: 1, line: 'b' }] });
    server.change({ kind: 'state', state: 'completed', result: 7 });
    const end = await watch.done;
    expect(end.job.result).toBe(7);
    expect(lines(end)).toEqual(['0 a', '1 b']);
    expect(client.connection.state).toBe('idle');
  });

  test('a stream that breaks off is resumed from its last id', async () => {
    await using house = await openBlockedHouse();
    const { server, watch } = house;
    server.change({ kind: 'report', log: [{ n: 0, line: 'before' }] });
    await until(() => watch.current?.log.length === 1);
    const { pos } = server.truth().cursor;
    server.http.cut();
    server.change({ kind: 'report', log: [{ n: 1, line: 'meanwhile' }] });
    await until(() => watch.current?.log.length === 2);
    server.change({ kind: 'report', log: [{ n: 2, line: 'after' }] });
    server.change({ kind: 'state', state: 'completed' });
    expect(lines(await watch.done)).toEqual(['0 before', '1 meanwhile', '2 after']);
    expect(server.http.resumed).toEqual(['-', `${pos}~1~0`]);
  });

  test('a snapshot in the middle of a stream is folded, each line once', async () => {
    await using house = await openBlockedHouse();
    const { server, watch } = house;
    server.change({ kind: 'report', log: [{ n: 0, line: 'a' }] });
    server.lost.add(server.nextPosition);
    server.change({ kind: 'report', log: [{ n: 1, line: 'b' }] });
    server.http.snapshot(JOB);
    await until(() => watch.current?.log.length === 2);
    expect(lines(watch.current)).toEqual(['0 a', '1 b']);
    expect(server.http.resumed).toHaveLength(1);
  });

  test('a hole in a stream is filled by one from before it', async () => {
    await using house = await openBlockedHouse();
    const { server, watch } = house;
    server.lost.add(server.nextPosition);
    server.change({ kind: 'report', log: [{ n: 0, line: 'lost' }] });
    server.change({ kind: 'report', log: [{ n: 1, line: 'heard' }] });
    await until(() => watch.current?.log.length === 2);
    expect(lines(watch.current)).toEqual(['0 lost', '1 heard']);
    expect(server.http.resumed).toEqual(['-', '-']);
  });

  test('four jobs have streams, the rest is polled, and a free stream is used', async () => {
    await using house = await openBlockedHouse();
    const { server, client } = house;
    for (const id of OTHERS) server.add(id);
    const watches = OTHERS.map((id) => client.watch(id));
    await until(() => watches.every(({ current }) => current !== undefined));
    expect(server.http.streams).toBe(4);

    for (const id of OTHERS) server.change({ kind: 'state', state: 'active' }, id);
    for (const id of OTHERS) server.change({ kind: 'report', log: [{ n: 0, line: 'a' }] }, id);
    await until(() => watches.every(({ current }) => current?.log.length === 1));
    server.change({ kind: 'state', state: 'completed' });
    await until(() => server.http.resumed.length === 5);
    for (const id of OTHERS) server.change({ kind: 'state', state: 'completed' }, id);
    const ends = await Promise.all(watches.map(({ done }) => done));
    expect(ends.map(lines)).toEqual(OTHERS.map(() => ['0 a']));
  });

  test('a stream that brings no byte is given up for polling', async () => {
    await using house = await openHouse();
    const { server, client } = house;
    server.blocked = true;
    server.http.holdsBack = true;
    const watch = client.watch(JOB);
    await until(() => watch.current !== undefined);
    await until(() => client.connection.via === 'polling');
    server.change({ kind: 'state', state: 'active' });
    server.change({ kind: 'report', log: [{ n: 0, line: 'a' }], output: [{ n: 0, chunk: 1 }] });
    await until(() => watch.current?.log.length === 1);
    server.change({ kind: 'report', log: [{ n: 1, line: 'b' }] });
    server.change({ kind: 'state', state: 'completed', result: 7 });
    const end = await watch.done;
    expect(lines(end)).toEqual(['0 a', '1 b']);
    expect(end).toMatchObject({ job: { result: 7 }, output: [{ n: 0, chunk: 1 }] });
  });

  test('a job that does not exist is refused, and one that is removed ends its watch', async () => {
    await using house = await openBlockedHouse();
    const { server, client, watch } = house;
    await expect(client.watch(`${JOB}X`).done).rejects.toMatchObject({ code: 'job_not_found' });
    server.change({ kind: 'removed' });
    await expect(watch.done).rejects.toMatchObject({ code: 'job_not_found' });
  });

  test('a command goes over HTTP', async () => {
    await using house = await openBlockedHouse();
    await expect(house.watch.cancel()).resolves.toMatchObject({ done: true });
    expect(house.server.http.requests).toContain(`POST /v1/jobs/${JOB}/cancel`);
  });

  test('a server that is away for a while is found again, and nothing is lost', async () => {
    await using house = await openBlockedHouse();
    const { server, client, watch } = house;
    server.http.away = true;
    server.cut();
    await until(() => client.connection.state === 'reconnecting');
    server.change({ kind: 'report', log: [{ n: 0, line: 'meanwhile' }] });
    server.http.away = false;
    await until(() => watch.current?.log.length === 1);
  });

  test('a WebSocket that gets through again takes over, without a gap and without a double', async () => {
    await using house = await openBlockedHouse();
    const { server, client, watch } = house;
    server.change({ kind: 'report', log: [{ n: 0, line: 'by stream' }] });
    await until(() => watch.current?.log.length === 1);
    server.blocked = false;
    await until(() => client.connection.via === 'websocket');
    await until(() => server.http.streams === 0);
    server.change({ kind: 'report', log: [{ n: 1, line: 'by socket' }] });
    server.change({ kind: 'state', state: 'completed' });
    expect(lines(await watch.done)).toEqual(['0 by stream', '1 by socket']);
  });
});

test('a server that answers nothing at all is no reason to leave the WebSocket', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.blocked = true;
  server.http.away = true;
  const watch = client.watch(JOB);
  await until(() => client.connection.state === 'reconnecting');
  server.blocked = false;
  await until(() => watch.current !== undefined);
  expect(client.connection.via).toBe('websocket');
});
