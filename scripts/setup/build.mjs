import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npm } from '../process/npm.mjs';
import { lastLines } from '../process/run.mjs';
import { Problem, say } from '../say.mjs';
import { toolFolder } from './project.mjs';

const NOT_BUILT_FROM = new Set(['dist', 'node_modules', 'test']);
/** What every workspace is built from, beside its own files. */
const SHARED = ['package.json', 'package-lock.json', 'tsconfig.base.json', 'tsconfig.json', 'scripts/setup/bundle.mjs'];
const STAMP_FILE = path.join(toolFolder, 'built');

/**
 * Builds what runs, unless nothing that it is built from has changed since (told by content, in some 30 ms).
 * @param {string} folder the project's
 * @param {AbortSignal} [signal]
 * @returns {Promise<'built' | 'up to date'>}
 */
export async function build(folder, signal) {
  const workspaces = listWorkspaces(folder);
  const wanted = fingerprint(folder, workspaces);
  if (workspaces.every(isBuilt) && readStamp() === wanted) return 'up to date';

  const startedAt = Date.now();
  const { code, output } = await npm(['run', 'build', '--silent'], { cwd: folder, signal });
  if (code !== 0) throw new Problem(`The build failed:\n${lastLines(output, 60)}`);
  dropStaleJobs(path.join(folder, 'apps/worker'));
  mkdirSync(toolFolder, { recursive: true });
  writeFileSync(STAMP_FILE, wanted);
  say(`built in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  return 'built';
}

/**
 * The compiler leaves behind what it once built from a job file that is gone or has another name now, and a worker loads
 * all that lies in the folder.
 * @param {string} worker
 */
function dropStaleJobs(worker) {
  const built = path.join(worker, 'dist/jobs');
  if (!existsSync(built)) return;
  for (const name of readdirSync(built)) {
    const source = name.replace(/\.(d\.ts|js)(\.map)?$/, '.ts');
    if (!existsSync(path.join(worker, 'src/jobs', source))) rmSync(path.join(built, name));
  }
}

/** @param {string} folder */
function listWorkspaces(folder) {
  return ['packages', 'apps'].flatMap((group) =>
    readdirSync(path.join(folder, group), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => path.join(folder, group, name)),
  );
}

/** @param {string} workspace */
function isBuilt(workspace) {
  return !existsSync(path.join(workspace, 'tsconfig.json')) || existsSync(path.join(workspace, 'dist'));
}

/**
 * @param {string} folder
 * @param {string[]} workspaces
 */
function fingerprint(folder, workspaces) {
  const shared = SHARED.map((name) => path.join(folder, name));
  const hash = createHash('sha256');
  for (const file of [...shared, ...workspaces.flatMap(listSources)].sort()) {
    hash.update(path.relative(folder, file)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function listSources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_BUILT_FROM.has(entry.name) || entry.name.endsWith('.tsbuildinfo')) return [];
    const full = path.join(folder, entry.name);
    return entry.isDirectory() ? listSources(full) : [full];
  });
}

function readStamp() {
  try {
    return readFileSync(STAMP_FILE, 'utf8');
  } catch {
    return undefined; // never built
  }
}
