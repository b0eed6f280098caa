import { stopSignal } from '../process/stop-signal.mjs';
import { CHECKS } from './checks.mjs';
import { createApi, createJobs } from './jobs.mjs';
import { createStack } from './stack.mjs';

/**
 * Builds the image, brings up the stack of docker-compose.yml under a name of its own, checks it at work and removes it.
 * Needs Docker with compose v2. Ends the process: 0 when every check passed.
 */
export async function testStack() {
  const signal = stopSignal({ onSecond: () => process.exit(1) });
  const stack = await createStack(signal);
  const api = createApi(stack.url);
  const passed = await runChecks({ stack, api, jobs: createJobs(api), signal });
  const failed = CHECKS.length - passed;
  if (failed > 1) console.log(`not run, and counted as failed: ${failed - 1} that build on it`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/**
 * Runs the checks in order, up to the first that fails, and removes the stack.
 * @param {import('./checks.mjs').Context} context
 * @returns {Promise<number>} how many passed
 */
async function runChecks(context) {
  const { stack, signal } = context;
  let passed = 0;
  for (const [name, check] of CHECKS) {
    if (!(await holds(name, () => check(context)))) break;
    passed += 1;
  }
  if (passed === 0) return 0; // no engine: there is nothing to look at or to remove
  if (passed < CHECKS.length && !signal.aborted) console.log(await stack.report());
  await stack.remove().catch((error) => console.log(`could not remove what the test made: ${error.message}`));
  return passed;
}

/**
 * Runs one check and prints how it went.
 * @param {string} name
 * @param {() => Promise<string | void>} check
 */
async function holds(name, check) {
  const startedAt = Date.now();
  try {
    const seen = await check();
    console.log(`ok      ${name} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)${seen ? `: ${seen}` : ''}`);
    return true;
  } catch (error) {
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.message : error}`);
    return false;
  }
}
