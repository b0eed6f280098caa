import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { npm } from '../process/npm.mjs';
import { projectFolder } from '../setup/project.mjs';

/** A public linter, fetched when it is needed: installed for everybody it would be a fifth of all packages. */
const LINTER = '@redocly/cli@2.77.0';

/** Asks api for its contract and holds it against a public linter. @type {() => Promise<import('../process/run.mjs').Ended>} */
export async function checkOpenApi() {
  const folder = mkdtempSync(path.join(tmpdir(), 'spillway-openapi-'));
  try {
    const file = path.join(folder, 'openapi.json');
    writeFileSync(file, await readContract());
    const args = ['exec', '--yes', `--package=${LINTER}`, '--', 'redocly', 'lint', '--format=stylish', file];
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    return await npm(args, { cwd: folder, env });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** api describes itself without Redis, so the port that nothing listens on is good enough. */
async function readContract() {
  const env = { ...process.env, REDIS_URL: 'redis://127.0.0.1:1', SPILLWAY_PORT: '0', SPILLWAY_LOG_LEVEL: 'silent' };
  const api = fork(path.join(projectFolder, 'apps/api/dist/main.js'), { env });
  try {
    const [{ url }] = await once(api, 'message');
    const response = await fetch(`${url}/openapi.json`);
    return await response.text();
  } finally {
    api.kill();
    await once(api, 'exit');
  }
}
