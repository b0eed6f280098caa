import { type FlowNode, FlowRequest, SpillwayError } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { tenantOf } from '../jobs/submit.ts';
import { problems, scoped } from '../schema.ts';
import { watchGrant } from '../tokens/mint.ts';
import { checkedTree, nodesOf } from './checked-tree.ts';
import { assertBounded } from './tree-bounds.ts';

const schema = {
  operationId: 'submitFlow',
  summary: 'Submit jobs that wait for each other',
  description:
    'A tree: a job starts once its children have ended, and can read how they did. Answers 202 once all jobs are stored; where one of them is not acceptable, nothing is. The jobs are one batch: watch it by the `id`, or each job by its own.',
  tags: ['flows'],
  body: FlowRequest,
  response: {
    202: { description: 'All jobs are stored.', ...Type.Ref('FlowReply') },
    ...problems(
      'invalid_request',
      'invalid_json',
      'unknown_type',
      'invalid_input',
      'queue_full',
      'body_too_large',
      'unsupported_media_type',
    ),
  },
};

export function submitFlow(app: App, { producer, catalogue, metrics, tokens }: Services): void {
  const route = {
    schema,
    config: scoped('submit'),
    // The schema is checked by recursion: how deep it goes is settled before.
    preValidation: async ({ body }: { body: unknown }) => assertBounded(body),
    serializerCompiler: () => JSON.stringify,
  };
  app.post('/v1/flows', route, async (request, reply) => {
    const { flow } = request.body as { flow: FlowNode };
    if (flow.onFailure) throw rootPolicy(flow.onFailure);
    const tree = await checkedTree(catalogue, flow);
    const batch = producer.newBatch();
    const watch = watchGrant(tokens, request, { batches: [batch] });
    const stored = await producer.submitFlow(tree, { batch, tenant: tenantOf(request.caller) });
    const nodes = nodesOf(tree);
    for (const { type } of nodes) metrics.countSubmit(type);
    return reply
      .code(202)
      .header('location', `/v1/jobs/${stored.id}`)
      .send({ id: batch, accepted: nodes.length, flow: stored, watch });
  });
}

function rootPolicy(policy: string): SpillwayError {
  const message = `/flow/onFailure: expected none, because this job has no parent, got ${JSON.stringify(policy)}`;
  return new SpillwayError('invalid_request', message, { errors: [{ pointer: '/flow/onFailure', message }] });
}
