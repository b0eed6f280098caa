import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'downloadFile',
  summary: 'Read a file',
  tags: ['files'],
  params: Type.Object({ id: Type.String({ maxLength: 128 }) }),
  response: {
    200: {
      description: 'The bytes.',
      content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
    },
    ...problems('file_not_found'),
  },
};

/** Shown in place; everything else is only ever downloaded, because an uploaded page would run as ours. */
const HARMLESS = /^image\/(?:avif|gif|jpeg|png|webp)$/;

export function downloadFile(app: App, { files }: Services): void {
  app.get('/v1/files/:id', { schema, config: scoped('read') }, async ({ params }, reply) => {
    const file = await files.stat(params.id);
    const content = await files.open(file.id);
    const disposition = HARMLESS.test(file.contentType) ? 'inline' : 'attachment';
    return reply
      .type(file.contentType)
      .header('content-length', file.sizeBytes)
      .header('content-disposition', `${disposition}; filename*=UTF-8''${encodeURIComponent(file.name)}`)
      .header('content-security-policy', "default-src 'none'; sandbox")
      .header('x-content-type-options', 'nosniff')
      .header('cache-control', 'private, max-age=31536000, immutable')
      .send(content);
  });
}
