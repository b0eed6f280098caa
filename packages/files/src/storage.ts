import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { FileWasNotFound, type StorageAdapter } from '@flystorage/file-storage';
import { LocalStorageAdapter } from '@flystorage/local-fs';
import type { FileLocation, S3Location } from './location.ts';

/** A place for bytes under paths. `read` fails with `FileWasNotFound` where there is nothing. */
export interface Storage {
  adapter: StorageAdapter;
  close: () => void;
}

/** The AWS SDK is loaded only here and only for S3: it takes longer to load than the rest of a service. */
export async function openStorage(location: FileLocation): Promise<Storage> {
  if (location.kind === 's3') return openS3(location);
  return { adapter: new DiskAdapter(location.folder), close: () => undefined };
}

class DiskAdapter extends LocalStorageAdapter {
  readonly #folder: string;

  constructor(folder: string) {
    super(folder);
    this.#folder = folder;
  }

  /** In place of the library's own, which leaves the file open when the reader goes away before the end. */
  override async read(path: string): Promise<Readable> {
    try {
      return (await open(join(this.#folder, path))).createReadStream();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw FileWasNotFound.atLocation(path, { cause: error });
      throw error;
    }
  }
}

async function openS3(location: S3Location): Promise<Storage> {
  const [{ S3Client }, { AwsS3StorageAdapter }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@flystorage/aws-s3'),
  ]);
  const client = new S3Client({
    ...(location.region && { region: location.region }),
    ...(location.endpoint && {
      endpoint: location.endpoint,
      region: location.region ?? 'us-east-1',
      // Many compatible services refuse the checksum trailers that Amazon's SDK adds by default.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
    forcePathStyle: location.forcePathStyle,
    // Without limits a silent network holds an upload for ever.
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 60_000 },
  });
  const adapter = new AwsS3StorageAdapter(client, { bucket: location.bucket, prefix: location.prefix });
  return { adapter, close: () => client.destroy() };
}
