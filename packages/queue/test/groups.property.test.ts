import { openSandbox } from '@spillway/testkit';
import fc from 'fast-check';
import { releaseSlots } from '../src/engine/groups.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { openQueue, TYPE } from './fixture.ts';
import { AHEAD } from './grouped.ts';

const NAMES = ['a', 'b', 'c', 'd'];

interface Group {
  line: string[];
  running: number;
  /** Where it stood when it went last. */
  pass: number;
  weight: number;
  cap: number;
}

/** Stride scheduling as it is written in books: everything is looked at before each turn. */
class Model {
  readonly groups = new Map<string, Group>(
    NAMES.map((name) => [name, { line: [], running: 0, pass: 0, weight: 1, cap: Number.POSITIVE_INFINITY }]),
  );
  readonly main: string[] = [];
  readonly taken: { id: string; name: string }[] = [];
  readonly nameOf = new Map<string, string>();
  #time = 0;

  pump(ended = 0): void {
    const slots = [...this.groups.values()].reduce((sum, { running }) => sum + running, 0);
    for (let free = Math.max(AHEAD, 2 * ended) - Math.min(this.main.length, slots); free > 0; free -= 1) {
      const [next] = [...this.groups]
        .filter(([, { line, running, cap }]) => line.length > 0 && running < cap)
        .map(([name, group]) => ({ name, group, stands: Math.max(group.pass, this.#time) }))
        .sort((a, b) => a.stands - b.stands || (a.name < b.name ? -1 : 1));
      if (!next) return;
      this.#time = next.stands;
      next.group.pass = next.stands + 1 / next.group.weight;
      next.group.running += 1;
      this.main.push(next.group.line.shift() ?? '');
    }
  }
}

const command = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      name: fc.constantFrom(...NAMES),
      jobs: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('take' as const), jobs: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), jobs: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('limit' as const),
      name: fc.constantFrom(...NAMES),
      weight: fc.integer({ min: 1, max: 1000 }),
      cap: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
    }),
  },
);

test('jobs of groups come into the main line in the order that stride scheduling says, whatever happens in between', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer } = await openQueue(sandbox);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), async (commands) => {
      runs += 1;
      const type = { ...TYPE, queue: `work-${runs}` };
      const keys = queueKeys(prefix, type.queue);
      const model = new Model();
      const group = (name: string) => model.groups.get(name) as Group;
      for (const step of commands) {
        switch (step.kind) {
          case 'submit':
            for (let n = 0; n < step.jobs; n += 1) {
              const { id } = await producer.submit({ type, input: {}, options: { group: step.name } });
              group(step.name).line.push(id);
              model.nameOf.set(id, step.name);
              model.pump();
            }
            break;
          case 'take':
            for (const id of model.main.splice(0, step.jobs)) {
              expect(await redis.rpop(keys.wait)).toBe(id);
              model.taken.push({ id, name: model.nameOf.get(id) ?? '' });
            }
            break;
          case 'end': {
            const ended = model.taken.splice(0, step.jobs);
            for (const { id, name } of ended) {
              await redis.hset(keys.job(id), 'finishedOn', 1);
              group(name).running -= 1;
            }
            await releaseSlots(
              redis,
              keys,
              ended.map(({ id }) => id),
            );
            model.pump(ended.length);
            break;
          }
          case 'limit': {
            Object.assign(group(step.name), { weight: step.weight, cap: step.cap ?? Number.POSITIVE_INFINITY });
            const byName = [...model.groups].map(([name, { weight, cap }]) => [
              name,
              { weight, ...(Number.isFinite(cap) && { concurrency: cap }) },
            ]);
            await producer.setLimits(type.queue, { groups: { byName: Object.fromEntries(byName) } });
            model.pump();
          }
        }
        expect((await redis.lrange(keys.wait, 0, -1)).reverse()).toEqual(model.main);
        for (const [name, { line, running }] of model.groups) {
          expect(await redis.zrange(`${keys.groupBase}line:${name}`, '0', '-1')).toEqual(line);
          expect(Number((await redis.hget(`${keys.groupBase}running`, name)) ?? 0)).toBe(running);
        }
      }
    }),
    { numRuns: 60 },
  );
});
