import path from 'node:path';

/** The clone's top folder. */
export const projectFolder = path.resolve(import.meta.dirname, '../..');

/** What is made once and shared by all runs in this clone: fetched tools, stamps, locks. */
export const toolFolder = path.join(projectFolder, '.spillway');

/**
 * Where `npm start` keeps its data. SPILLWAY_DIR moves it, so that two runs in one clone can stay apart.
 * @param {NodeJS.ProcessEnv} env
 */
export function dataFolderOf(env) {
  return env.SPILLWAY_DIR ? path.resolve(env.SPILLWAY_DIR) : toolFolder;
}
