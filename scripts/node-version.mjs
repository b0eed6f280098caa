/* This file and the entries that import it statically must parse on any Node that knows ES modules: nothing newer than ES2015 here. */

var OLDEST = [20, 19];

/**
 * @param {string} version e.g. `20.19.1` or `v20.19.1`
 * @returns {boolean} whether Spillway runs on it
 */
export function isSupportedNode(version) {
  var parts = version.replace('v', '').split('.').map(Number);
  return parts[0] > OLDEST[0] || (parts[0] === OLDEST[0] && parts[1] >= OLDEST[1]);
}

/** Ends the process with a clear message when this Node is too old. */
export function requireNode() {
  if (isSupportedNode(process.version)) return;
  console.error(
    'Spillway needs Node ' +
      OLDEST.join('.') +
      ' or newer (22 or 24 recommended); this is Node ' +
      process.version +
      '.\n' +
      'Install a current one from https://nodejs.org, or with your version manager: nvm install 24',
  );
  process.exit(1);
}
