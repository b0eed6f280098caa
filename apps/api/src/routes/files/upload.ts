import multipart from '@fastify/multipart';
import { type FileInfo, SpillwayError } from '@spillway/contracts';
import { fileRef, fileUrl, type StoredFile } from '@spillway/files';
import { Type } from 'typebox';
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

export async function uploadFile(app: App, { files }: Services): Promise<void> {
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
      const part = await request.file();
      if (part?.fieldname !== 'file')
        throw new SpillwayError(
          'invalid_request',
          `expected a file in the field \`file\`, got ${part ? `one in \`${part.fieldname}\`` : 'none'}`,
        );
      const stored = await files.save(part.file, { name: part.filename, contentType: part.mimetype });
      return reply.code(201).header('location', fileUrl(stored.id)).send(toFileInfo(stored));
    },
  );
}

function toFileInfo(stored: StoredFile): FileInfo {
  return { ...stored, ref: fileRef(stored.id), url: fileUrl(stored.id) };
}
