import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { findProgram } from '../process/find-program.mjs';
import { lastLines, run } from '../process/run.mjs';

/** @typedef {import('../process/run.mjs').Ended} Ended */
/** @typedef {(...args: string[]) => Promise<Ended>} Apt */

const SERVERS = ['redis-server', 'valkey-server'];

/**
 * A server that was unpacked into a folder of ours.
 * @param {string} folder
 * @returns {{ binary: string, env: NodeJS.ProcessEnv } | undefined} undefined when there is none
 */
export function unpackedServer(folder) {
  const binary = SERVERS.map((name) => path.join(folder, 'usr/bin', name)).find((file) => existsSync(file));
  if (!binary) return undefined;
  return { binary, env: { ...process.env, LD_LIBRARY_PATH: foldersWithLibraries(folder).join(':') } };
}

export function hasApt() {
  return findProgram(['apt-get']) !== undefined && findProgram(['dpkg']) !== undefined;
}

/**
 * Fetches the distribution's own Redis (else Valkey) with what it needs into `folder`.
 * Needs no root, installs nothing, starts no system service; all or nothing.
 * @param {string} folder
 * @param {AbortSignal} [signal]
 * @returns {Promise<string | undefined>} what went wrong
 */
export async function fetchFromDebian(folder, signal) {
  const draft = `${folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  const [debs, lists, root] = ['debs', 'lists', 'root'].map((name) => path.join(draft, name));
  for (const made of [debs, root]) mkdirSync(made, { recursive: true });
  try {
    // The system's package lists may be missing (container images) or out of date: then lists of our own, which needs no root either.
    let trouble = await download(systemApt(debs, signal), debs);
    if (trouble) trouble = await download(await ownApt(debs, lists, signal), debs);
    if (trouble) return trouble;
    for (const deb of readdirSync(debs)) {
      const { code, output } = await run('dpkg', ['-x', path.join(debs, deb), root], { signal });
      if (code !== 0) return lastLines(output, 3);
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(root, folder);
    return undefined;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * @param {Apt} apt
 * @param {string} debs the folder that it downloads into
 * @returns {Promise<string | undefined>} what went wrong
 */
async function download(apt, debs) {
  let trouble = '';
  for (const server of SERVERS) {
    // A simulated install names exactly what this machine lacks, as apt itself resolves it.
    const plan = await apt('--simulate', '--no-install-recommends', 'install', server);
    const packages = [...plan.output.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]).filter(isNeeded);
    const fetched = packages.includes(server) ? await apt('download', ...packages) : plan;
    if (fetched.code === 0 && readdirSync(debs).length > 0) return undefined;
    trouble += `${lastLines(fetched.output, 2)}\n`;
  }
  return trouble.trim();
}

/**
 * The server and its libraries. Not the C library, which must match the system's loader, nor what only sets up a system service.
 * @param {string} name
 */
function isNeeded(name) {
  return /^(redis|valkey|lib|lua)/.test(name) && !/^libc(6|-)/.test(name);
}

/**
 * @param {string} cwd
 * @param {AbortSignal} [signal]
 * @returns {Apt}
 */
function systemApt(cwd, signal) {
  // As root, apt downloads as another user, who may not write into our folder.
  return (...args) => run('apt-get', ['-o', 'APT::Sandbox::User=root', ...args], { cwd, env: inEnglish(), signal });
}

/**
 * @param {string} cwd
 * @param {string} lists
 * @param {AbortSignal} [signal]
 * @returns {Promise<Apt>} with freshly fetched package lists; a source that fails does not spoil the others
 */
async function ownApt(cwd, lists, signal) {
  for (const made of ['lists/partial', 'archives/partial']) mkdirSync(path.join(lists, made), { recursive: true });
  const places = [`Dir::State::Lists=${lists}/lists`, `Dir::Cache=${lists}`, 'Debug::NoLocking=1'];
  const apt = systemApt(cwd, signal);
  /** @type {Apt} */
  const own = (...args) => apt(...places.flatMap((place) => ['-o', place]), ...args);
  await own('update');
  return own;
}

/** Its answers are read. */
function inEnglish() {
  return { ...process.env, LC_ALL: 'C' };
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function foldersWithLibraries(folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  const deeper = entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(folder, entry.name));
  const here = entries.some((entry) => entry.name.includes('.so')) ? [folder] : [];
  return [...here, ...deeper.flatMap(foldersWithLibraries)];
}
