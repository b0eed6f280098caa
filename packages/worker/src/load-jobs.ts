import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError } from '@spillway/runtime';
import type { NamespacedUnregister } from 'tsx/esm/api';
import { type DefinedJob, isDefinedJob } from './define-job.ts';

const JOB_FILE = /(?<!\.d)\.(?:ts|mts|js|mjs)$/;
const TYPESCRIPT = /\.m?ts$/;

/**
 * Loads every `defineJob` that the given folders and modules export, under whatever name. Files that export none are
 * fine: a folder may hold what its jobs share.
 * @throws ConfigError naming the file, when a path does not exist, a file cannot be loaded or two files define one type.
 */
export async function loadJobs(paths: readonly string[]): Promise<DefinedJob[]> {
  const found = new Map<string, { job: DefinedJob; file: string }>();
  for (const file of (await Promise.all(paths.map(listFiles))).flat()) {
    for (const job of await loadFile(file)) {
      const other = found.get(job.type);
      if (other && other.job !== job)
        throw new ConfigError([`expected one definition of job type ${job.type}, got two: ${other.file} and ${file}`]);
      found.set(job.type, { job, file });
    }
  }
  return [...found.values()].map(({ job, file }) => ({ ...job, file }));
}

async function listFiles(path: string): Promise<string[]> {
  const absolute = resolve(path);
  const info = await stat(absolute).catch((cause: unknown) => {
    throw new ConfigError([
      `SPILLWAY_JOBS: expected a folder or module, got ${path} (${(cause as NodeJS.ErrnoException).code})`,
    ]);
  });
  if (!info.isDirectory()) return [absolute];
  const names = await readdir(absolute);
  return names
    .filter((name) => JOB_FILE.test(name))
    .sort()
    .map((name) => join(absolute, name));
}

/** The jobs that one file exports. @throws ConfigError naming the file where it cannot be loaded. */
export async function loadFile(file: string): Promise<DefinedJob[]> {
  try {
    const module: Record<string, unknown> = await importFile(file);
    return Object.values(module).filter(isDefinedJob);
  } catch (cause) {
    throw new ConfigError([
      `expected ${file} to load as a job file: ${cause instanceof Error ? cause.message : cause}`,
    ]);
  }
}

async function importFile(file: string): Promise<Record<string, unknown>> {
  const { href } = pathToFileURL(file);
  // Node strips types itself from 22.18 on; before that tsx does.
  const nodeStripsTypes = 'typescript' in process.features && process.features.typescript;
  if (nodeStripsTypes || !TYPESCRIPT.test(file)) return (await import(href)) as Record<string, unknown>;
  typescript ??= import('tsx/esm/api').then(({ register }) => register({ namespace: 'spillway-jobs' }));
  return (await (await typescript).import(href, import.meta.url)) as Record<string, unknown>;
}

/** One for the process: with a registration for each file, a module that two job files share would be loaded twice. */
let typescript: Promise<NamespacedUnregister> | undefined;
