import { spawn } from 'node:child_process';

/**
 * @typedef {object} Ended
 * @property {number} code the exit code; 1 when a signal ended it, 127 when it could not be started
 * @property {string} output what it wrote to stdout and stderr, in order
 */

/**
 * Runs a program to its end. Never rejects, except when `signal` aborts (the program is then stopped).
 * @param {string} file
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, signal?: AbortSignal, shell?: boolean }} [options]
 * @returns {Promise<Ended>}
 */
export function run(file, args, { cwd, env, signal, shell } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, signal, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error) => {
      if (error.name === 'AbortError') reject(error);
      else resolve({ code: 127, output: error.message });
    });
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** @param {string} text */
export function lastLines(text, count = 25) {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
