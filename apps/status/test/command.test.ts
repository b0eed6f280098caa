import { createHash, randomUUID } from 'node:crypto';
import type { SubmitReply } from '@spillway/contracts';
import { call, type ServiceProcess, type Spillway, startService, startSpillway, until } from '@spillway/testkit';
import { connect } from './watcher.ts';

let spillway: Spillway;
let second: ServiceProcess;
beforeAll(async () => {
  spillway = await startSpillway();
  second = await startService('status', spillway.env);
});
afterAll(async () => {
  await second.stop();
  await spillway[Symbol.asyncDispose]();
});

async function submit(type = 'demo.noop', input: object = {}, options: object = { delayMs: 60_000 }): Promise<string> {
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type, input, options });
  return body.id;
}

test('a job is cancelled over the live connection, and its watchers see it', async () => {
  await using watcher = await connect(spillway.status.url);
  const job = await submit();
  await watcher.watch(job);
  expect(await watcher.ask('command', { id: randomUUID(), job, do: 'cancel' })).toMatchObject({
    done: true,
    job: { id: job, state: 'cancelled', error: { message: 'cancelled by open' } },
  });
  await until('the event', () => watcher.events.some((event) => event.kind === 'state' && event.state === 'cancelled'));
});

test('a running job is cancelled over the live connection, with the reason, and its watchers see it begin and end', async () => {
  await using watcher = await connect(spillway.status.url);
  const job = await submit('demo.steps', { steps: 1000, stepMs: 50 }, {});
  await watcher.watch(job);
  await until('its start', () => watcher.events.some((event) => event.kind === 'report'));
  const cancel = { by: 'open', reason: 'wrong file' };
  expect(await watcher.ask('command', { id: randomUUID(), job, do: 'cancel', reason: 'wrong file' })).toMatchObject({
    done: true,
    job: { state: 'active', cancel },
  });
  const told = () => watcher.events.flatMap((event) => (event.kind === 'state' ? [event] : []));
  await until('the end', () => told().some(({ state }) => state === 'cancelled'));
  expect(told().slice(-2)).toMatchObject([
    { state: 'active', cancel },
    { state: 'cancelled', error: { code: 'cancelled', message: 'cancelled by open: wrong file' } },
  ]);
});

test('a repeat through another process changes nothing and is answered the same, also after a retry of the job', async () => {
  await using one = await connect(spillway.status.url);
  await using two = await connect(second.url);
  const command = { id: randomUUID(), job: await submit(), do: 'cancel' };
  const replies = await Promise.all([one, two, one, two].map((watcher) => watcher.ask('command', command)));
  expect(replies.map(({ done }) => done)).toEqual([true, true, true, true]);
  await call(spillway.url, 'POST', `/v1/jobs/${command.job}/retry`);
  expect(await two.ask('command', command)).toMatchObject({ done: true, job: { id: command.job } });
  const { body } = await call<{ state: string }>(spillway.url, 'GET', `/v1/jobs/${command.job}?wait=20`);
  expect(body.state).toBe('completed');
  expect(await one.ask('command', { ...command, id: randomUUID() })).toMatchObject({ error: { code: 'job_final' } });
});

test('a cancel that changed nothing says so', async () => {
  await using watcher = await connect(spillway.status.url);
  const job = await submit();
  await call(spillway.url, 'POST', `/v1/jobs/${job}/cancel`);
  expect(await watcher.ask('command', { id: randomUUID(), job, do: 'cancel' })).toMatchObject({ done: false });
});

test('an id that was given with another command is refused, and that job is left alone', async () => {
  await using watcher = await connect(spillway.status.url);
  const id = randomUUID();
  const [first, other] = [await submit(), await submit()];
  await watcher.ask('command', { id, job: first, do: 'cancel' });
  expect(await watcher.ask('command', { id, job: other, do: 'cancel' })).toMatchObject({
    error: { code: 'command_id_reused' },
  });
  expect((await call(spillway.url, 'GET', `/v1/jobs/${other}`)).body).toMatchObject({ state: 'delayed' });
});

test('a refusal is remembered too: whoever still wants it gives a new command', async () => {
  await using watcher = await connect(spillway.status.url);
  const job = await submit('demo.steps', { steps: 60, stepMs: 50, failAt: 1 }, {});
  await call(spillway.url, 'GET', `/v1/jobs/${job}?wait=20`);
  const command = { id: randomUUID(), job, do: 'cancel' };
  expect(await watcher.ask('command', command)).toMatchObject({ error: { code: 'job_final' } });
  await call(spillway.url, 'POST', `/v1/jobs/${job}/retry`);
  expect(await watcher.ask('command', command)).toMatchObject({ error: { code: 'job_final' } });
});

test('callers do not share ids, and the right to watch is not the right to command', async () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const keys = [
    ['ann', 'read+control', 'sw_a'],
    ['bob', 'read+control', 'sw_b'],
    ['eve', 'read', 'sw_e'],
    ['sue', 'submit', 'sw_s'],
  ] as const;
  const env = { SPILLWAY_KEYS: keys.map(([name, scopes, key]) => `${name}:${scopes}:${sha256(key)}`).join(',') };
  await using locked = await startSpillway({ env });
  const make = async () => {
    const body = { type: 'demo.noop', input: {}, options: { delayMs: 60_000 } };
    return (await call<SubmitReply>(locked.url, 'POST', '/v1/jobs', body, { authorization: 'Bearer sw_s' })).body.id;
  };
  const [first, other] = [await make(), await make()];
  await using ann = await connect(locked.status.url, { token: 'sw_a' });
  await using bob = await connect(locked.status.url, { token: 'sw_b' });
  await using eve = await connect(locked.status.url, { token: 'sw_e' });
  expect(await eve.ask('command', { id: '1', job: first, do: 'cancel' })).toMatchObject({
    error: { code: 'forbidden' },
  });
  expect(await ann.ask('command', { id: '1', job: first, do: 'cancel' })).toMatchObject({
    done: true,
    job: { error: { message: 'cancelled by ann' } },
  });
  expect(await bob.ask('command', { id: '1', job: other, do: 'cancel' })).toMatchObject({ done: true });
});

test.each([
  [
    { id: 'c', job: 'demo.01ARZ3NDEKTSV4RRFFQ69G5FAV', do: 'cancel' },
    'job_not_found',
    /expected the id of a stored job/,
  ],
  [{ id: 'c', job: '__proto__', do: 'cancel' }, 'job_not_found', /__proto__/],
  [{ id: 'c', job: 'x', do: 'explode' }, 'invalid_request', /\/do expected one of "cancel", got "explode"/],
  [{ id: '', job: 'x', do: 'cancel' }, 'invalid_request', /\/id expected .*1 character/],
  [{ id: 'c'.repeat(129), job: 'x', do: 'cancel' }, 'invalid_request', /\/id expected .*128 characters/],
  [{ id: 7, job: 'x', do: 'cancel' }, 'invalid_request', /\/id expected string, got 7/],
  [
    { id: 'c', job: 'x', do: 'cancel', reason: 'y'.repeat(501) },
    'invalid_request',
    /\/reason expected .*500 characters/,
  ],
  [{ job: 'x', do: 'cancel' }, 'invalid_request', /\/id is required/],
  ['cancel', 'invalid_request', /expected object, got "cancel"/],
])('the command %j is refused with what was expected', async (command, code, message) => {
  await using watcher = await connect(spillway.status.url);
  expect(await watcher.ask('command', command)).toMatchObject({
    error: { code, message: expect.stringMatching(message) },
  });
});
