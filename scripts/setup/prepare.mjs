import { alone } from './alone.mjs';
import { build } from './build.mjs';
import { installDependencies } from './install.mjs';
import { projectFolder } from './project.mjs';

/**
 * Installs and builds what is missing.
 * @param {AbortSignal} [signal]
 * @returns {Promise<'built' | 'up to date'>} whether anything that runs has changed
 */
export function prepare(signal) {
  return alone(async () => {
    await installDependencies(projectFolder, signal);
    return build(projectFolder, signal);
  }, signal);
}

/** Installs what is missing. */
export function prepareTools() {
  return alone(() => installDependencies(projectFolder));
}
