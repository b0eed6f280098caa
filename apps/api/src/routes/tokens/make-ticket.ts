import { TicketRequest, unknownJob } from '@spillway/contracts';
import { covers } from '@spillway/runtime';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'makeTicket',
  summary: 'Make a ticket for one event stream',
  description:
    'For EventSource, which sends no headers: a ticket that may stand in a URL, because it opens one stream of one job, once, within 60 seconds. With a key, or a token that may watch the job.',
  tags: ['tokens'],
  body: TicketRequest,
  response: {
    201: { description: 'The ticket.', ...Type.Ref('TicketReply') },
    ...problems('invalid_request', 'invalid_json', 'job_not_found', 'unsupported_media_type'),
  },
};

export function makeTicket(app: App, { reader, tokenRecords }: Services): void {
  app.post('/v1/tickets', { schema, config: scoped('read', 'any') }, async ({ body, caller, token }, reply) => {
    const job = await reader.job(body.job);
    if (token && !covers(token.rights, job)) throw unknownJob(body.job);
    const ticket = await tokenRecords.makeTicket({
      holder: caller?.name ?? 'unknown',
      job: job.id,
      ...(token && { token: { id: token.id, expiresAt: token.expiresAt } }),
    });
    return reply.code(201).send(ticket);
  });
}
