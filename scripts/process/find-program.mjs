import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/**
 * @param {string[]} names in order of preference
 * @param {{ env?: NodeJS.ProcessEnv, folders?: string[] }} [options] `folders` are looked through after the PATH
 * @returns {string | undefined} the full path of the first that exists and may be run
 */
export function findProgram(names, { env = process.env, folders = [] } = {}) {
  const searched = [...(env.PATH ?? '').split(path.delimiter), ...folders].filter(Boolean);
  const endings = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  const candidates = names.flatMap((name) =>
    searched.flatMap((folder) => endings.map((ending) => path.join(folder, name + ending))),
  );
  return candidates.find(isProgram);
}

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
