import { createHash, randomUUID } from 'node:crypto';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { openTokenRecords, type TicketGrant, type TokenRecords } from '../src/tokens/index.ts';

async function openRecords(sandbox: Sandbox, secrets: readonly string[] = []): Promise<TokenRecords> {
  const records = openTokenRecords({
    redis: await sandbox.connect(),
    prefix: sandbox.prefix,
    secrets,
    onError: (error) => {
      throw error;
    },
  });
  sandbox.defer(() => records.close());
  await records.looked;
  return records;
}

test('all processes share one secret of 32 random bytes that the first to come makes', async () => {
  await using sandbox = await openSandbox();
  const all = await Promise.all(Array.from({ length: 5 }, () => openRecords(sandbox)));
  const [first] = all.map((records) => records.secrets()[0]);
  expect(first).toMatch(/^[\w-]{43}$/);
  for (const records of all) expect(records.secrets()).toEqual([first]);
});

test('the secret is the same array while it does not change', async () => {
  await using sandbox = await openSandbox();
  const records = await openRecords(sandbox);
  const secrets = records.secrets();
  await Promise.all([openRecords(sandbox), openRecords(sandbox)]);
  expect(records.secrets()).toBe(secrets);
});

test('an emptied Redis is given the secret again, and one that an operator sets is taken over', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  const records = await openRecords(sandbox);
  const [secret = ''] = records.secrets();
  const key = `${sandbox.prefix}:{registry}:token-secret`;
  await redis.del(key);
  await until('the secret to be back', async () => (await redis.get(key)) === secret);
  await redis.set(key, 'another');
  await until('the other secret', () => records.secrets()[0] === 'another');
});

test('secrets that are configured are not kept in Redis', async () => {
  await using sandbox = await openSandbox();
  const secrets = ['s'.repeat(32), 't'.repeat(32)];
  const records = await openRecords(sandbox, secrets);
  expect(records.secrets()).toBe(secrets);
  expect(await (await sandbox.connect()).exists(`${sandbox.prefix}:{registry}:token-secret`)).toBe(0);
});

test('a revocation holds here at once, elsewhere soon, and in processes that start later', async () => {
  await using sandbox = await openSandbox();
  const [here, elsewhere] = [await openRecords(sandbox), await openRecords(sandbox)];
  const [id, other] = [randomUUID(), randomUUID()];
  await here.revoke(id);
  expect(here.isRevoked(id)).toBe(true);
  await until('the revocation to be known', () => elsewhere.isRevoked(id));
  const later = await openRecords(sandbox);
  expect([later.isRevoked(id), later.isRevoked(other)]).toEqual([true, false]);
});

test('more revocations than one look takes are all known after it', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  const key = `${sandbox.prefix}:{registry}:revocations`;
  const ids = Array.from({ length: 2500 }, () => randomUUID());
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.xadd(key, '*', 'id', id);
  await pipeline.exec();
  const records = await openRecords(sandbox);
  expect(ids.filter((id) => !records.isRevoked(id))).toEqual([]);
});

test('to revoke again writes nothing, and what is written does not stay for ever', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  const records = await openRecords(sandbox);
  const key = `${sandbox.prefix}:{registry}:revocations`;
  const id = randomUUID();
  await records.revoke(id);
  await records.revoke(id);
  expect(await redis.xlen(key)).toBe(1);
  expect(await redis.pttl(key)).toBeGreaterThan(24 * 3_600_000);
});

test('before Redis has answered nothing is known, and it is known once Redis does', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  redis.disconnect();
  const records = openTokenRecords({ redis, prefix: sandbox.prefix, secrets: [], onError: () => undefined });
  sandbox.defer(() => records.close());
  await records.looked;
  const unavailable = expect.objectContaining({ code: 'unavailable' });
  expect(() => records.secrets()).toThrow(unavailable);
  expect(() => records.isRevoked(randomUUID())).toThrow(unavailable);
  await expect(records.revoke(randomUUID())).rejects.toThrow(unavailable);
  await redis.connect();
  await until('the secret', () => records.secrets()[0]);
});

test('a ticket is good once, and its text is not in Redis', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  const records = await openRecords(sandbox);
  const grant: TicketGrant = { holder: 'web', job: 'demo.1', token: { id: randomUUID(), expiresAt: 1 } };
  const { ticket, expiresAt } = await records.makeTicket(grant);
  const hash = createHash('sha256').update(ticket).digest('hex');
  const left = await redis.pttl(`${sandbox.prefix}:{registry}:ticket:${hash}`);
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(60_000);
  expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
  const redeemed = await Promise.all(Array.from({ length: 5 }, () => records.redeemTicket(ticket)));
  expect(redeemed.filter(Boolean)).toEqual([grant]);
  expect(await records.redeemTicket('made up')).toBeUndefined();
});
