import { readFileSync } from 'node:fs';
import path from 'node:path';
import { projectFolder } from '../setup/project.mjs';

/**
 * The script behind an installed package's command, to be run with `process.execPath`: starts faster than npx and needs no shell on Windows.
 * @param {string} packageName
 * @param {string} [command] when it differs from the package's name
 */
export function programOf(packageName, command = packageName) {
  const folder = path.join(projectFolder, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return path.join(folder, typeof bin === 'string' ? bin : bin[command]);
}
