import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { createRenewals, type HeldLease, LEASE_MS } from '../src/consumer/renewals.ts';
import { queueKeys } from '../src/engine/keys.ts';

async function setUp(sandbox: Sandbox) {
  const redis = await sandbox.connect('worker');
  const keys = queueKeys(sandbox.prefix, 'work');
  const held = new Set<HeldLease>();
  const renewals = createRenewals({ redis, keys, held, onError: () => undefined });
  sandbox.defer(() => renewals.stop());
  const lost: number[] = [];
  const hold = (attempt: number, token: string) => {
    const lease = { id: 'work.1', token, attempt, since: Date.now(), abort: () => lost.push(attempt) };
    held.add(lease);
    return () => held.delete(lease);
  };
  const lock = `${keys.job('work.1')}:lock`;
  /** A lease with little left. */
  const lease = async (attempt: number, token: string) => {
    await redis.hset(keys.job('work.1'), 'ats', attempt);
    await redis.set(lock, token, 'PX', LEASE_MS / 2);
  };
  const renewed = () => until('a renewal', async () => (await redis.pttl(lock)) > LEASE_MS / 2);
  return { hold, lease, lost, renewed };
}

test('a worker that takes its own lost job again keeps that lease when the first run ends', async () => {
  await using sandbox = await openSandbox();
  const { hold, lease, lost, renewed } = await setUp(sandbox);
  const endFirst = hold(1, 'token');
  hold(2, 'token');
  await lease(2, 'token');
  await until('the first one to be told', () => lost.length > 0);
  endFirst();
  await lease(2, 'token');
  await renewed();
  expect(lost).toEqual([1]);
});

test('a lease that somebody else has now is lost, and not prolonged', async () => {
  await using sandbox = await openSandbox();
  const { hold, lease, lost, renewed } = await setUp(sandbox);
  hold(1, 'mine');
  await lease(1, 'another');
  await until('the loss', () => lost.length > 0);
  hold(1, 'another');
  await renewed();
  expect(lost).toEqual([1]);
});
