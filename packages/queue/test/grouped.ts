import type { QueueGroupLimits } from '@spillway/contracts';
import { type Sandbox, until } from '@spillway/testkit';
import type { Lease, Outcome } from '../src/consumer/index.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, openQueue, TYPE } from './fixture.ts';

/** The least number of jobs that the main line is given. */
export const AHEAD = 5;

/** A queue of groups, and what it holds of them. */
export async function openGroups(sandbox: Sandbox, limits?: QueueGroupLimits) {
  const queue = await openQueue(sandbox);
  const { redis, prefix, producer, submit } = queue;
  const keys = queueKeys(prefix, TYPE.queue);
  if (limits) await producer.setLimits(TYPE.queue, { groups: limits });
  const own = (name: string) => keys.groupBase + name;
  const ran: string[] = [];
  return {
    ...queue,
    keys,
    /** Names of the groups whose jobs ran, in their order. */
    ran,
    run: async ({ input }: Lease): Promise<Outcome> => {
      ran.push((input as { group: string }).group);
      return COMPLETED;
    },
    limit: (changed?: QueueGroupLimits) => producer.setLimits(TYPE.queue, { groups: changed ?? null }),
    put: (group: string, options: object = {}) => submit({ group }, { group, ...options }),
    flood: (group: string, jobs: number) =>
      Promise.all(Array.from({ length: jobs }, () => submit({ group }, { group }))),
    /** Groups and how many of their jobs were let go and have not ended. */
    slots: () => redis.hgetall(own('running')) as Promise<Record<string, string>>,
    /** Ids in a group's line, first one first. */
    line: (group: string) => redis.zrange(own(`line:${group}`), '0', '-1'),
    main: async () => (await redis.lrange(keys.wait, 0, -1)).reverse(),
    emptied: () =>
      until('nothing to be left of any group', async () => {
        const left = [
          keys.grouped,
          keys.groups,
          own('slots'),
          own('running'),
          own('turns'),
          own('ahead'),
          own('opens'),
        ];
        return (await redis.exists(...left)) === 0;
      }),
  };
}
