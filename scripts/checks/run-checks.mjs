import { programOf } from '../process/package-program.mjs';
import { run } from '../process/run.mjs';
import { report } from '../say.mjs';
import { prepareTools } from '../setup/prepare.mjs';
import { projectFolder } from '../setup/project.mjs';
import { checkClientSize } from './client-size.mjs';
import { lockProblems, readLock } from './lock-file.mjs';
import { checkOpenApi } from './openapi.mjs';

/** What a check found; `note` is a figure worth a look each time. @typedef {import('../process/run.mjs').Ended & { note?: string }} Found */
/** @typedef {{ name: string, run: () => Promise<Found> }} Check */

/** @type {Check[]} */
const CHECKS = [
  {
    name: 'format, lint and import direction (biome)',
    run: () => tool('@biomejs/biome', 'biome', ['ci', '--colors=off']),
  },
  { name: 'types of what is built (tsc -b)', run: () => tool('typescript', 'tsc', ['-b']) },
  { name: 'types of the tests', run: () => tool('typescript', 'tsc', ['-p', 'tsconfig.test.json', '--noEmit']) },
  { name: 'types of the scripts', run: () => tool('typescript', 'tsc', ['-p', 'scripts/tsconfig.json']) },
  { name: 'dead code and dependencies (knip)', run: () => tool('knip', 'knip', ['--no-progress']) },
  // A pinned package manager would bind whoever uses corepack; any npm that comes with Node will do.
  {
    name: 'workspace packages (sherif)',
    run: () => tool('sherif', 'sherif', ['--ignore-rule', 'root-package-manager-field']),
  },
  { name: 'lock file is complete', run: checkLock },
  { name: 'size of the client in a page (esbuild)', run: checkClientSize },
  { name: 'contract (redocly)', run: checkOpenApi },
];

/** `npm run check`: runs every check, also after one has failed. Owns the process and its exit code. */
export async function runChecks() {
  try {
    await prepareTools();
    let failed = 0;
    for (const check of CHECKS) failed += (await passes(check)) ? 0 : 1;
    console.log(`\n${CHECKS.length - failed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** @param {Check} check */
async function passes({ name, run: runCheck }) {
  const startedAt = Date.now();
  const { code, output, note } = await runCheck();
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(44)} ${seconds} s${note ? `  ${note}` : ''}`);
  if (code !== 0) console.log(`\n${output.trimEnd()}\n`);
  return code === 0;
}

/**
 * @param {string} packageName
 * @param {string} command
 * @param {string[]} args
 */
function tool(packageName, command, args) {
  return run(process.execPath, [programOf(packageName, command), ...args], { cwd: projectFolder });
}

/** @type {Check['run']} */
async function checkLock() {
  const problems = lockProblems(readLock(projectFolder));
  return { code: problems.length === 0 ? 0 : 1, output: problems.join('\n') };
}
