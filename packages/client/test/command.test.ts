import { openHouse } from './house.ts';
import { JOB, until } from './live-server.ts';

test('a cancel is sent again over the next connection, with the same id, until it is answered', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  server.lostAnswers = 1;
  const reply = watch.cancel();
  await until(() => server.commands.length === 1);
  server.cut();
  await expect(reply).resolves.toMatchObject({ done: true, job: { id: JOB } });
  expect(server.commands).toHaveLength(2);
  expect(server.commands[0]).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), job: JOB, do: 'cancel' });
  expect(server.commands[1]).toEqual(server.commands[0]);
});

test('a command needs no watch: the connection is opened for it and closed after the answer', async () => {
  await using house = await openHouse();
  await expect(house.client.command(JOB, 'cancel')).resolves.toMatchObject({ done: true });
  expect(house.client.connection.state).toBe('idle');
  await until(() => house.server.connected === 0);
});

test('two cancels are two commands', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  await Promise.all([client.command(JOB, 'cancel'), client.command(JOB, 'cancel')]);
  expect(new Set(server.commands.map(({ id }) => id)).size).toBe(2);
});

test('a client that is closed gives up its commands', async () => {
  await using house = await openHouse();
  house.server.lostAnswers = 1;
  const reply = house.client.command(JOB, 'cancel');
  const refused = expect(reply).rejects.toThrow('closed before the command');
  await until(() => house.server.commands.length === 1);
  house.client.close();
  await refused;
});
