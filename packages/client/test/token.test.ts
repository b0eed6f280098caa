import { createClient } from '../src/index.ts';
import { openHouse } from './house.ts';
import { JOB, tokenFor, until } from './live-server.ts';

const EXPIRED = { code: 'unauthorized', message: 'the token has run out' };

test('a token is shown at the handshake and over HTTP', async () => {
  const token = tokenFor(600);
  await using house = await openHouse({ token });
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  await client.get(JOB);
  expect(server.tokens).toEqual([token]);
  expect(server.http.tokens).toEqual([token]);
});

test('a token is renewed in place before it runs out, by showing it', async () => {
  const [first, second] = [tokenFor(2, 'first'), tokenFor(600, 'second')];
  await using house = await openHouse({ token: first });
  const { server, client } = house;
  server.http.newTokens = [second];
  const watch = client.watch(JOB);
  await until(() => server.refreshed.length === 1);
  expect(server.refreshed).toEqual([second]);
  expect(server.http.tokens).toEqual([first]);
  expect(server.connections).toBe(1);
  server.change({ kind: 'state', state: 'completed' });
  await watch.done;
});

test('the first token and each next one come from getToken where there is one', async () => {
  const tokens = [tokenFor(2, 'first'), tokenFor(600, 'second')];
  const [first, second] = tokens;
  await using house = await openHouse({ getToken: async () => tokens.shift() ?? 'none' });
  const { server, client } = house;
  client.watch(JOB).done.catch(() => {});
  await until(() => server.refreshed.length === 1);
  expect(server.tokens).toEqual([first]);
  expect(server.refreshed).toEqual([second]);
});

test('a watch whose right has ended is taken up again with a new token', async () => {
  const renewed = tokenFor(600, 'renewed');
  await using house = await openHouse({ token: tokenFor(600), getToken: async () => renewed });
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.deny([{ job: JOB }], EXPIRED);
  await until(() => server.asked.length === 2);
  expect(server.refreshed).toEqual([renewed]);
  server.change({ kind: 'state', state: 'completed' });
  await watch.done;
});

test('a right that is denied again with the new token ends the watch', async () => {
  await using house = await openHouse({ token: tokenFor(600), getToken: async () => tokenFor(600) });
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.deny([{ job: JOB }], EXPIRED);
  await until(() => server.asked.length === 2);
  server.deny([{ job: JOB }], EXPIRED);
  await expect(watch.done).rejects.toMatchObject({ code: 'unauthorized' });
});

test('a key cannot be renewed: the watch ends with the reason, the others go on', async () => {
  await using house = await openHouse({ key: 'secret' });
  const { server, client } = house;
  const other = JOB.replace(/D$/, 'E');
  server.add(other);
  const watches = [client.watch(JOB), client.watch(other)];
  await until(() => watches.every(({ current }) => current !== undefined));
  server.deny([{ job: JOB }], EXPIRED);
  await expect(watches[0]?.done).rejects.toMatchObject({ code: 'unauthorized', message: EXPIRED.message });
  server.change({ kind: 'state', state: 'completed' }, other);
  await watches[1]?.done;
});

test('a token that ran out while the line was down is renewed at the door', async () => {
  const tokens = [tokenFor(600, 'old'), tokenFor(600, 'new')];
  const [old, fresh] = tokens;
  await using house = await openHouse({ getToken: async () => tokens.shift() ?? 'none' });
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.handshakeRefusal = EXPIRED;
  server.cut();
  await until(() => server.tokens.length === 2);
  server.handshakeRefusal = undefined;
  server.change({ kind: 'state', state: 'completed' });
  await watch.done;
  expect(server.tokens).toEqual([old, old, fresh]);
});

test('a source of tokens that refuses ends the watch with its reason', async () => {
  await using house = await openHouse();
  const { server } = house;
  server.handshakeRefusal = EXPIRED;
  const watch = house.client.watch(JOB, { token: tokenFor(600) });
  server.http.newTokens = [];
  await expect(watch.done).rejects.toMatchObject({ code: 'unauthorized' });
});

test('a watch with a token of its own has a connection of its own', async () => {
  const token = tokenFor(600, 'of the job');
  await using house = await openHouse();
  const { server, client } = house;
  const watches = [client.watch(JOB), client.watch(JOB, { token }), client.watch(JOB, { token })];
  await until(() => watches.every(({ current }) => current !== undefined));
  expect(server.tokens).toHaveLength(2);
  expect(server.tokens).toEqual(expect.arrayContaining([undefined, token]));
  server.change({ kind: 'state', state: 'completed' });
  await Promise.all(watches.map(({ done }) => done));
  expect(client.connection.state).toBe('idle');
});

test('a key beside a token is refused: which one is meant?', () => {
  const options = { baseUrl: 'http://127.0.0.1:9', key: 'secret', token: 'x' };
  expect(() => createClient(options)).toThrow('Expected a key or a token');
});
