import { lines, openHouse } from './house.ts';
import { JOB, until } from './live-server.ts';

test('a server that goes away is left for the next connection, without a gap and without a double', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  const states: string[] = [];
  const seen: string[] = [];
  client.connection.onChange((state) => states.push(state));
  watch.onEvents((events) => seen.push(...events.map(({ pos }) => pos)));
  await until(() => watch.current !== undefined);
  const before = server.change({ kind: 'report', log: [{ n: 0, line: 'before' }] });
  await until(() => watch.current?.log.length === 1);

  let answer = () => {};
  server.gate = new Promise((resolve) => (answer = resolve));
  server.drain(5);
  await until(() => server.asked.length === 2);
  expect(server.connected).toBe(2);
  server.change({ kind: 'report', log: [{ n: 1, line: 'on both' }] });
  answer();
  await until(() => server.connected === 1);
  const after = server.change({ kind: 'report', log: [{ n: 2, line: 'after' }] });
  server.change({ kind: 'state', state: 'completed' });

  expect(lines(await watch.done)).toEqual(['0 before', '1 on both', '2 after']);
  expect(states).toEqual(['connecting', 'live', 'idle']);
  expect(seen).toEqual(expect.arrayContaining([before.pos, after.pos]));
  expect(new Set(seen).size).toBe(seen.length);
  expect(server.asked[1]).toEqual([{ job: JOB, after: { pos: before.pos, log: 1, output: 0 } }]);
});

test('while the next connection is refused, the old one serves on', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.handshakeRefusal = { code: 'unavailable', message: 'too many connections' };
  server.drain(1);
  await until(() => server.tokens.length === 2);
  server.change({ kind: 'report', log: [{ n: 0, line: 'on the old one' }] });
  await until(() => watch.current?.log.length === 1);
  expect(client.connection.state).toBe('live');
  server.handshakeRefusal = undefined;
  await until(() => server.connections === 2 && server.connected === 1);
  server.change({ kind: 'report', log: [{ n: 1, line: 'on the new one' }] });
  await until(() => watch.current?.log.length === 2);
});

test('a server that closes before the announced time is dialled again at once', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.drain(60_000);
  server.sendAway();
  await until(() => client.connection.state === 'reconnecting');
  server.change({ kind: 'state', state: 'completed' });
  expect((await watch.done).job.state).toBe('completed');
  expect(server.connections).toBe(2);
});

test('a client that is closed after the announcement opens nothing more', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.drain(20);
  const other = client.watch(`${JOB}X`);
  await other.done.catch(() => {});
  client.close();
  await until(() => server.connected === 0);
  expect(client.connection.state).toBe('idle');
});
