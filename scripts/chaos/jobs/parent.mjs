import { defineJob } from '@spillway/worker';
import { z } from 'zod';
import { nameRun } from './shared/work.mjs';

/** Marks at its start what it was told of its children. */
export const parent = defineJob({
  type: 'chaos.parent',
  queue: 'chaos',
  input: z.object({ key: z.string() }),
  async run({ id, input, attempt, output, children }) {
    const { run, mark } = nameRun({ id, attempt }, input.key);
    mark('start');
    output({ run });
    const told = (await children()).map((child) => ({
      id: child.id,
      state: child.state,
      run: child.state === 'completed' ? /** @type {{ run: string }} */ (child.result).run : undefined,
    }));
    mark('effect', { children: told });
    return { run };
  },
});
