import { setTimeout as sleep } from 'node:timers/promises';
import multipart, { type MultipartFile } from '@fastify/multipart';
import { type FileInfo, SpillwayError } from '@spillway/contracts';
import { fileRef, fileUrl, type StoredFile } from '@spillway/files';
import { Type } from '@spillway/schema';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'uploadFile',
  summary: 'Store a file',
  description:
    'One file as multipart/form-data in the field `file`, streamed. Its content type is told by its bytes. Put `ref` of the reply into the input of a job.',
  tags: ['files'],
  consumes: ['multipart/form-data'],
  response: {
    201: { description: 'The file is stored.', ...Type.Ref('FileInfo') },
    ...problems('invalid_request', 'body_too_large', 'unsupported_media_type'),
  },
};

/** Fields beside the file are of no use here. */
const LIMITS = { files: 1, fields: 0, parts: 1, headerPairs: 20 };

export async function uploadFile(app: App, services: Services): Promise<void> {
  // A scope of its own: no other route takes multipart bodies.
  const upload: FastifyPluginAsync = (scope) => registerUpload(scope as App, services);
  await app.register(upload);
}

async function registerUpload(app: App, { files }: Services): Promise<void> {
  await app.register(multipart, { limits: { ...LIMITS, fileSize: files.maxBytes + 1 }, throwFileSizeLimit: false });
  app.post(
    '/v1/files',
    { schema, config: scoped('submit'), bodyLimit: files.maxBytes + 65_536 },
    async (request, reply) => {
      if (!request.isMultipart()) {
        throw new SpillwayError(
          'unsupported_media_type',
          `expected multipart/form-data with the field \`file\`, got ${request.headers['content-type'] ?? 'no content type'}`,
        );
      }
      const part = await firstFile(request).catch(throwUnreadable);
      if (part?.fieldname !== 'file')
        throw new SpillwayError(
          'invalid_request',
          `expected a file in the field \`file\`, got ${part ? `one in \`${part.fieldname}\`` : 'none'}`,
        );
      let broken: unknown;
      part.file.once('error', (error) => {
        broken = error;
      });
      const stored = await files
        .save(part.file, { name: part.filename, contentType: part.mimetype })
        .catch((error: unknown) => (error === broken ? throwUnreadable(error) : Promise.reject(error)));
      return reply.code(201).header('location', fileUrl(stored.id)).send(toFileInfo(stored));
    },
  );
}

/** How long the file of an upload may keep its reader waiting. Its head comes first, so this is no limit on slow lines. */
const FILE_BEGINS_MS = 5000;

/** The parser says nothing, for ever, where a body breaks off inside a part that is no file. */
async function firstFile(request: FastifyRequest): Promise<MultipartFile | undefined> {
  const late = new AbortController();
  const waited = sleep(FILE_BEGINS_MS, undefined, { signal: late.signal }).then(() => {
    throw new SpillwayError(
      'request_timeout',
      `expected a file in the field \`file\` to begin within ${FILE_BEGINS_MS} ms, got none`,
    );
  });
  try {
    return await Promise.race([request.file(), waited]);
  } finally {
    waited.catch(() => undefined);
    late.abort();
  }
}

/** The parser's own complaints are plain errors; those of fastify say by themselves whose fault they are. */
function throwUnreadable(error: unknown): never {
  if (!(error instanceof Error) || error instanceof SpillwayError || 'statusCode' in error) throw error;
  throw new SpillwayError(
    'invalid_request',
    `expected multipart/form-data with one file in the field \`file\`, got what cannot be read as such: ${error.message}`,
    { cause: error },
  );
}

function toFileInfo(stored: StoredFile): FileInfo {
  return { ...stored, ref: fileRef(stored.id), url: fileUrl(stored.id) };
}
