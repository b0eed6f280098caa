import path from 'node:path';
import { whileClaimed } from '../process/claim.mjs';
import { say } from '../say.mjs';
import { toolFolder } from './project.mjs';

/**
 * Runs what must not run twice at once in one clone (installing, building, fetching); the second waits, and should then look again at what is missing.
 * @template T
 * @param {() => Promise<T>} work
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export function alone(work, signal) {
  const onWait = () => say('another script is setting up this clone: waiting for it …');
  return whileClaimed(path.join(toolFolder, 'setup.lock'), { onWait, signal }, work);
}
