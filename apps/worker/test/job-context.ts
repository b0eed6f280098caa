import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileStore, openFileStore } from '@spillway/files';
import type { DefinedJob, Infer, Schema } from '@spillway/worker';
import { loadJob } from '../../../packages/worker/src/job-type.ts';

export const EXAMPLES = join(__dirname, '../../../docs/examples');

/** What a job reported on its way. */
interface Reported {
  progress: { fraction: number; message: string | undefined }[];
  log: string[];
  output: unknown[];
}

interface Run<R> extends Reported {
  result: R;
}

/** Runs a job's handler as a worker does, schemas checked and defaults filled in, without a queue. */
export async function runHandler<I extends Schema, O extends Schema>(
  job: DefinedJob<I, O>,
  input: unknown,
  setup: { files?: FileStore; signal?: AbortSignal; onProgress?: (fraction: number) => void } = {},
): Promise<Run<Infer<O>>> {
  const loaded = loadJob(job as unknown as DefinedJob);
  const copy: unknown = structuredClone(input);
  const parsed = await loaded.parseInput(copy);
  if ('problem' in parsed) throw new TypeError(parsed.problem);
  const reported: Reported = { progress: [], log: [], output: [] };
  const result = (await job.run({
    id: 'test.01JD0000000000000000000000',
    type: job.type,
    attempt: 1,
    input: parsed.input as Infer<I>,
    signal: setup.signal ?? new AbortController().signal,
    files: setup.files ?? noFiles(),
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    progress(fraction, message) {
      reported.progress.push({ fraction, message });
      setup.onProgress?.(fraction);
    },
    log: (line) => reported.log.push(line),
    output: (chunk) => reported.output.push(chunk),
    step: async (_name, run) => run(),
    children: async () => [],
  })) as Infer<O>;
  const problems = loaded.checkOutput?.(structuredClone(result)) ?? [];
  if (problems.length > 0) throw new TypeError(problems.map(({ message }) => message).join('; '));
  return { ...reported, result };
}

function noFiles(): FileStore {
  return openFileStore({ location: join(tmpdir(), 'spillway-no-files') });
}

/** A file store in a folder of its own. */
export async function temporaryFiles(): Promise<{ files: FileStore; folder: string; dispose: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-jobs-'));
  const files = openFileStore({ location: join(folder, 'store') });
  return { files, folder, dispose: () => rm(folder, { recursive: true }) };
}

/** A local HTTP server; `origin` is under the name localhost, `port` serves other spellings of it. */
export async function serve(
  listener: RequestListener,
): Promise<{ origin: string; port: number; requests: string[]; stop: () => Promise<void> }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { origin: `http://127.0.0.1:${port}`, port, requests, stop };
}
