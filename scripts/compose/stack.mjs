import { execFile } from 'node:child_process';
import { devNull } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../process/port.mjs';
import { lastLines } from '../process/run.mjs';
import { projectFolder } from '../setup/project.mjs';

const execute = promisify(execFile);

/** An event stream of some thousand entries as JSON is a few megabytes. */
const OUTPUT_LIMIT_BYTES = 256 * 1024 * 1024;

/** Few jobs at once for each worker, so that two hundred short jobs outlast the scaling. */
const WORKER_CONCURRENCY = 3;

/** A fleet that grows and shrinks while a test waits. */
const AUTOSCALER = {
  AUTOSCALER_MIN: '1',
  AUTOSCALER_MAX: '3',
  AUTOSCALER_COOLDOWN_MS: '4000',
  AUTOSCALER_INTERVAL_MS: '1000',
};

const AUTOSCALED = ['--profile', 'autoscale'];

/** @typedef {Awaited<ReturnType<typeof createStack>>} Stack */

/**
 * The stack of docker-compose.yml under a project name and a port of its own: it never meets one that somebody uses.
 * Nothing runs yet.
 * @param {AbortSignal} signal ends whatever runs, except the clean-up
 */
export async function createStack(signal) {
  const project = `spillway-test-${process.pid}`;
  const port = await freePort();
  const env = {
    ...withoutSettings(process.env),
    SPILLWAY_PORT: `${port}`,
    WORKER_CONCURRENCY: `${WORKER_CONCURRENCY}`,
    ...AUTOSCALER,
  };

  /** @param {string[]} args @param {AbortSignal} [stop] */
  const docker = (args, stop = signal) => call(args, env, stop);
  // Neither the user's .env nor an override file may change what is tested.
  const file = path.join(projectFolder, 'docker-compose.yml');
  const composed = ['compose', '--project-name', project, '--file', file, '--env-file', devNull, '--progress', 'quiet'];
  /** @param {string[]} args */
  const compose = (...args) => docker([...composed, ...args]);

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    docker,
    compose,

    /** Starts what is not running, and resolves once every container is healthy. @param {number} workers */
    async up(workers) {
      const scale = ['--scale', `worker=${workers}`];
      await compose('up', '--detach', '--no-recreate', ...scale, '--wait', '--wait-timeout', '120');
    },

    /** Adds the autoscaler and its proxy, and resolves once they are healthy. */
    async autoscale() {
      await compose(...AUTOSCALED, 'up', '--detach', '--no-recreate', '--wait', '--wait-timeout', '120');
    },

    /** State and last words of every container, for a person who must find out what went wrong. */
    async report() {
      const parts = [
        ['ps', '--all'],
        ['logs', '--no-color', '--tail', '15'],
      ].map((part) => compose(...AUTOSCALED, ...part));
      // Compose erases the line even where no terminal listens.
      return (await Promise.all(parts.map((part) => part.catch(String)))).join('\n').replaceAll('\u001b[2K', '');
    },

    /** Removes containers, network, volumes and images, also after the signal. */
    async remove() {
      const all = ['--volumes', '--rmi', 'local', '--remove-orphans', '--timeout', '5'];
      await docker([...composed, ...AUTOSCALED, 'down', ...all], AbortSignal.timeout(120_000));
    },
  };
}

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {AbortSignal} signal
 * @returns {Promise<string>} what it wrote to stdout
 */
async function call(args, env, signal) {
  try {
    const { stdout } = await execute('docker', args, {
      cwd: projectFolder,
      env,
      signal,
      maxBuffer: OUTPUT_LIMIT_BYTES,
    });
    return stdout;
  } catch (cause) {
    const { stderr, message } = /** @type {Error & { stderr?: string }} */ (cause);
    throw new Error(`docker ${args.join(' ')}:\n${lastLines(stderr || message)}`, { cause });
  }
}

/** @param {NodeJS.ProcessEnv} env */
function withoutSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(SPILLWAY|WORKER|REDIS|COMPOSE)_/.test(name)));
}
