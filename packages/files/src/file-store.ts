import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { FileWasNotFound, type StorageAdapter } from '@flystorage/file-storage';
import { SpillwayError } from '@spillway/contracts';
import { DEFAULT_ALLOWED_TYPES, HEAD_BYTES, identify } from './content-type.ts';
import { isFileId, newFileId } from './file-id.ts';
import { type Intake, takeIn } from './intake.ts';
import { parseLocation } from './location.ts';
import { openStorage, type Storage } from './storage.ts';

/** A stored file as the store knows it. */
export interface StoredFile {
  /** `<ulid>` plus the extension of its content type, e.g. `01J….jpg`. */
  id: string;
  /** As the sender called it, without folders and control characters; whoever serves it must still quote it. */
  name: string;
  contentType: string;
  sizeBytes: number;
  /** ISO 8601 in UTC. */
  createdAt: string;
}

/** Large inputs and results. A file is readable only once it is stored whole; it never changes after that. */
export interface FileStore {
  readonly maxBytes: number;
  /** What another process opens the same store with. */
  readonly config: FileStoreConfig;
  /**
   * Stores content under a new id, streamed: no more than a few megabytes of it are in memory at a time. The content type
   * is told by the first bytes and held against `about.contentType`, where given. A stream is read to its end, or destroyed.
   * @throws SpillwayError `body_too_large`, `unsupported_media_type`, or `unavailable` where the store itself fails; what
   * the content stream fails with is passed on. Nothing remains in the store then, with one exception: when the process
   * is killed midway, bytes that no id leads to stay on disk, or on S3 as parts of an unfinished upload, which a bucket
   * rule (AbortIncompleteMultipartUpload) removes.
   */
  save(content: Readable | Uint8Array, about: { name: string; contentType?: string }): Promise<StoredFile>;
  /** @throws SpillwayError `file_not_found` where there is no such file or the text is no file id; `unavailable`. */
  stat(id: string): Promise<StoredFile>;
  /** The file's bytes; destroy the stream to stop early. @throws as `stat` does. */
  open(id: string): Promise<Readable>;
  /** Does nothing where there is no such file. */
  delete(id: string): Promise<void>;
  /** Lets go of connections. Idempotent; the store cannot be used afterwards. */
  close(): Promise<void>;
}

export interface FileStoreConfig {
  /** A folder, or `s3://<bucket>/<prefix>?endpoint=<url>&region=<name>&forcePathStyle=true` with credentials from the AWS environment. */
  location: string;
  /** The largest file that is taken; 1 GiB by default. */
  maxBytes?: number;
  /** Content types that are taken: `image/png`, `image/*` or `*`. */
  allowedTypes?: readonly string[];
}

const DEFAULT_MAX_BYTES = 1024 ** 3;
const NAME_MAX_LENGTH = 200;

/**
 * Opens a store; the folder is made and the S3 client loaded on first use.
 * @throws TypeError where the location is not understood.
 */
export function openFileStore(config: FileStoreConfig): FileStore {
  const { maxBytes = DEFAULT_MAX_BYTES, allowedTypes = DEFAULT_ALLOWED_TYPES } = config;
  const location = parseLocation(config.location);
  let opened: Promise<Storage> | undefined;
  const adapter = async () => {
    opened ??= openStorage(location);
    return (await opened).adapter;
  };

  return {
    maxBytes,
    config,
    async save(content, about) {
      const intake = await takeIn(content, HEAD_BYTES, maxBytes);
      try {
        const { contentType, extension } = await identify(intake.head, about, allowedTypes);
        const id = newFileId(extension);
        return await store(await adapter(), intake, { id, name: cleanName(about.name, id), contentType });
      } finally {
        await intake.discard();
      }
    },
    async stat(id) {
      return readRecord(await adapter(), checkedId(id));
    },
    async open(id) {
      const storage = await adapter();
      await readRecord(storage, checkedId(id));
      return reading(id, async () => (await storage.read(contentPath(id), {})) as Readable);
    },
    async delete(id) {
      await remove(await adapter(), checkedId(id));
    },
    async close() {
      (await opened)?.close();
    },
  };
}

/** The record goes last: a file without one cannot be read, so what is readable is whole. */
async function store(
  adapter: StorageAdapter,
  intake: Intake,
  about: Pick<StoredFile, 'id' | 'name' | 'contentType'>,
): Promise<StoredFile> {
  try {
    await adapter.write(contentPath(about.id), intake.body, { mimeType: about.contentType });
    const file = { ...about, sizeBytes: intake.sizeBytes(), createdAt: new Date().toISOString() };
    const record = Readable.from([JSON.stringify(file)], { objectMode: false });
    await adapter.write(recordPath(about.id), record, { mimeType: 'application/json' });
    return file;
  } catch (error) {
    // Best effort: what cannot be removed has no record and is never seen.
    await remove(adapter, about.id).catch(() => undefined);
    throw intake.failure() ?? unavailable('write', error);
  }
}

/** The record first, so that a removal that is cut off leaves nothing readable. */
async function remove(adapter: StorageAdapter, id: string): Promise<void> {
  await adapter.deleteFile(recordPath(id), {});
  await adapter.deleteFile(contentPath(id), {});
}

async function readRecord(adapter: StorageAdapter, id: string): Promise<StoredFile> {
  const record = await reading(id, async () => text((await adapter.read(recordPath(id), {})) as Readable));
  // A record that was cut off midway counts as absent: its file was never stored whole.
  if (!record.endsWith('}')) throw notFound(id);
  return JSON.parse(record) as StoredFile;
}

async function reading<T>(id: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof FileWasNotFound ? notFound(id) : unavailable('read', error);
  }
}

function checkedId(id: string): string {
  if (isFileId(id)) return id;
  throw new SpillwayError(
    'file_not_found',
    `Expected a file id such as 01JD….jpg, got ${JSON.stringify(id.slice(0, 60))}.`,
  );
}

/** The first half of a ulid's time is the folder, a new one every nine hours: no folder grows without end. */
function contentPath(id: string): string {
  return `${id.slice(0, 5)}/${id}`;
}

/** Never a content path: an id has one extension only. */
function recordPath(id: string): string {
  return `${contentPath(id)}.json`;
}

function cleanName(name: string, id: string): string {
  const last = name.replace(/\p{C}/gu, '').split(/[\\/]/).at(-1)?.trim() ?? '';
  return last.slice(0, NAME_MAX_LENGTH) || id;
}

function notFound(id: string): SpillwayError {
  return new SpillwayError('file_not_found', `Expected a stored file, got the id ${id}, which is not in the store.`);
}

function unavailable(what: string, cause: unknown): SpillwayError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SpillwayError('unavailable', `The file store could not ${what} a file: ${reason}`, { cause });
}

/** Whether an error of a store says that there is no such file. */
export function isFileNotFound(error: unknown): error is SpillwayError {
  return error instanceof SpillwayError && error.code === 'file_not_found';
}
