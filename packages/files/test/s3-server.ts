import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A small S3-compatible HTTP server for tests: path-style objects and multipart uploads, kept in memory. It checks payload hashes, not signatures. */
export interface S3Server {
  endpoint: string;
  objects: Map<string, { body: Buffer; type: string | undefined }>;
  /** Unfinished multipart uploads by their id. */
  uploads: Map<string, Map<number, Buffer>>;
  aborted: string[];
  stop: () => Promise<void>;
}

export const TEST_CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test-key', AWS_SECRET_ACCESS_KEY: 'test-secret' };

export async function startS3Server(): Promise<S3Server> {
  const state = { objects: new Map(), uploads: new Map(), aborted: [] } as unknown as S3Server;
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: Error) => response.writeHead(400).end(xml('Error', error.message)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  state.stop = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return state;
}

async function answer(state: S3Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', state.endpoint);
  const body = await buffer(request);
  checkPayload(request, body);
  const upload = url.searchParams.get('uploadId') ?? undefined;
  switch (request.method) {
    case 'PUT':
      if (upload) state.uploads.get(upload)?.set(Number(url.searchParams.get('partNumber')), body);
      else state.objects.set(url.pathname, { body, type: request.headers['content-type'] });
      return void response.writeHead(200, { etag: etag(body) }).end();
    case 'POST':
      return void response.writeHead(200).end(upload ? complete(state, url.pathname, upload) : initiate(state));
    case 'DELETE':
      if (upload && state.uploads.delete(upload)) state.aborted.push(upload);
      else state.objects.delete(url.pathname);
      return void response.writeHead(204).end();
    default:
      return serve(state.objects.get(url.pathname), response);
  }
}

function serve(object: { body: Buffer; type: string | undefined } | undefined, response: ServerResponse): void {
  if (!object) return void response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>');
  response.writeHead(200, {
    'content-length': object.body.length,
    'content-type': object.type ?? 'binary/octet-stream',
  });
  response.end(object.body);
}

function initiate(state: S3Server): string {
  const id = `upload-${state.uploads.size + state.aborted.length + 1}`;
  state.uploads.set(id, new Map());
  return xml('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`);
}

function complete(state: S3Server, path: string, upload: string): string {
  const parts = [...(state.uploads.get(upload) ?? [])].sort(([a], [b]) => a - b).map(([, part]) => part);
  state.uploads.delete(upload);
  state.objects.set(path, { body: Buffer.concat(parts), type: undefined });
  return xml('CompleteMultipartUploadResult', '<ETag>"done"</ETag>');
}

function checkPayload(request: IncomingMessage, body: Buffer): void {
  if (!request.headers.authorization?.includes(TEST_CREDENTIALS.AWS_ACCESS_KEY_ID)) throw new Error('unsigned request');
  const declared = String(request.headers['x-amz-content-sha256']);
  if (declared === 'UNSIGNED-PAYLOAD') return;
  const actual = createHash('sha256').update(body).digest('hex');
  if (declared !== actual) throw new Error(`payload hash ${declared} is not that of the body`);
}

function etag(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

function xml(root: string, inner: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><${root}>${inner}</${root}>`;
}
