import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type FileStore, isFileNotFound } from '@spillway/files';
import { parseFileRef, UnrecoverableJobError } from '@spillway/worker';
import { type JobSettings, settings } from './settings.ts';

/** The bytes that a file reference leads to. */
export interface Source {
  name: string;
  /** Absent where a server does not say. */
  sizeBytes: number | undefined;
  /** Read it to its end or destroy it. */
  stream: Readable;
}

export interface SourceNeeds {
  files: FileStore;
  signal: AbortSignal;
  /** Larger sources are refused, before they are read where their size is known. */
  maxBytes: number;
  /** What may be read and called; that of this process by default. */
  settings?: Pick<JobSettings, 'paths' | 'permit'>;
}

/**
 * Opens what a `FileRef()` field names: an upload, a file under a permitted folder, or a URL.
 * @throws UnrecoverableJobError where the reference leads nowhere, to a place that is not permitted, or to too much;
 * Error where trying again may help.
 */
export async function openSource(ref: string, needs: SourceNeeds): Promise<Source> {
  const source = await openReference(ref, needs);
  if (source.sizeBytes !== undefined && source.sizeBytes > needs.maxBytes) {
    source.stream.destroy();
    throw new UnrecoverableJobError(`expected a file of at most ${needs.maxBytes} bytes, got ${source.sizeBytes}`);
  }
  addAbortSignal(needs.signal, source.stream);
  return source;
}

/** All the bytes at once, for what cannot work on a stream. @throws as `openSource` does. */
export async function readSource(ref: string, needs: SourceNeeds): Promise<{ name: string; bytes: Buffer }> {
  const { name, stream } = await openSource(ref, needs);
  return { name, bytes: await buffer(stream) };
}

async function openReference(ref: string, needs: SourceNeeds): Promise<Source> {
  const { paths, permit } = needs.settings ?? settings();
  const reference = parseFileRef(ref);
  switch (reference.kind) {
    case 'file':
      return openUpload(reference.id, needs.files);
    case 'path':
      return openPath(reference.path, paths);
    case 'url': {
      // Opened with the first URL: its HTTP client is a tenth of what a worker would compute before it is ready.
      const { download } = await import('./download.ts');
      return download(reference.url, { permit, signal: needs.signal, maxBytes: needs.maxBytes });
    }
  }
}

async function openUpload(id: string, files: FileStore): Promise<Source> {
  try {
    const { name, sizeBytes } = await files.stat(id);
    return { name, sizeBytes, stream: await files.open(id) };
  } catch (error) {
    if (!isFileNotFound(error)) throw error;
    throw new UnrecoverableJobError(error.message, { cause: error });
  }
}

async function openPath(path: string, folders: readonly string[]): Promise<Source> {
  if (folders.length === 0) {
    throw new UnrecoverableJobError(
      `expected a permitted folder for path:${path}, and none is: set SPILLWAY_PATHS to the folders that jobs may read from`,
    );
  }
  for (const folder of folders) {
    const handle = await openUnder(folder, path);
    if (!handle) continue;
    const info = await handle.stat();
    if (info.isFile()) return { name: basename(path), sizeBytes: info.size, stream: handle.createReadStream() };
    await handle.close();
  }
  throw new UnrecoverableJobError(
    `expected path:${path} to name a file under one of the folders in SPILLWAY_PATHS, and it does not`,
  );
}

/** Links are followed before the check, so none can lead out of the folder. */
async function openUnder(folder: string, path: string): Promise<FileHandle | undefined> {
  try {
    const root = await realpath(folder);
    const real = await realpath(resolve(root, path));
    const inside = relative(root, real);
    if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) return undefined;
    // Not blocking: opening a pipe would wait for somebody to write into it.
    return await open(real, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // The same answer for a missing and for a forbidden file: a reference must not tell what else there is on the disk.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'ELOOP') return undefined;
    throw error;
  }
}
