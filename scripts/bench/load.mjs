// Starts the load processes and talks to them.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Starts a load process (a file in load/). `run(plan)` resolves with its result; run one plan at a time. */
export async function startLoad(stage, kind) {
  const file = fileURLToPath(new URL(`load/${kind}.mjs`, import.meta.url));
  const actor = await stage.service(`load-${kind}`, file);
  return {
    pid: actor.pid,
    async run(plan) {
      actor.child.send(plan);
      const [result] = await once(actor.child, 'message');
      if (result.kind === 'failure') throw new Error(result.message);
      return result;
    },
  };
}
