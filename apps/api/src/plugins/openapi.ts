import swagger from '@fastify/swagger';
import {
  Batch,
  BatchCancelReply,
  BatchReply,
  BatchResult,
  BatchStreamReply,
  CleanReply,
  ControlReply,
  DrainReply,
  FileInfo,
  FlowMember,
  FlowNode,
  FlowReply,
  Job,
  JobList,
  JobType,
  LogPage,
  OutputPage,
  Problem,
  QueueInfo,
  QueueLimits,
  QueueScaling,
  RetryFailedReply,
  ScalingReply,
  Schedule,
  ScheduleControlReply,
  ScheduleList,
  SnapshotPage,
  SubmitReceipt,
  SubmitReply,
  TicketReply,
  TokenReply,
  WorkerInfo,
} from '@spillway/contracts';
import { VERSION } from '@spillway/runtime';
import type { App } from '../app.ts';

const SHARED = [
  Batch,
  BatchCancelReply,
  BatchReply,
  BatchResult,
  BatchStreamReply,
  CleanReply,
  ControlReply,
  DrainReply,
  FileInfo,
  FlowMember,
  FlowNode,
  FlowReply,
  Job,
  JobList,
  JobType,
  LogPage,
  OutputPage,
  Problem,
  QueueInfo,
  QueueLimits,
  QueueScaling,
  RetryFailedReply,
  ScalingReply,
  Schedule,
  ScheduleControlReply,
  ScheduleList,
  SnapshotPage,
  SubmitReceipt,
  SubmitReply,
  TicketReply,
  TokenReply,
  WorkerInfo,
];

/** The contract at /openapi.json, drawn from the routes. Must be registered before them. */
export async function registerOpenApi(app: App): Promise<void> {
  for (const schema of SHARED) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Spillway',
        version: VERSION,
        description: 'Submit jobs over REST, watch them live, scale the workers.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'this api' }],
      tags: [
        { name: 'jobs', description: 'Submit, read and control jobs.' },
        { name: 'batches', description: 'Submit many jobs at once, and see and steer them as one.' },
        { name: 'flows', description: 'Submit jobs that wait for each other.' },
        { name: 'schedules', description: 'Submit jobs again and again.' },
        { name: 'tokens', description: 'Let others watch some jobs.' },
        { name: 'types', description: 'What can be submitted.' },
        { name: 'queues', description: 'Where jobs wait.' },
        { name: 'workers', description: 'Who runs them.' },
        { name: 'files', description: 'Large inputs and results.' },
        { name: 'service', description: 'Health and figures of api itself.' },
      ],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description:
              'An API key; needed once keys are configured. Where a call says so, a watch token for the job does as well.',
          },
        },
      },
      security: [{ key: [] }, {}],
    },
    transformObject: (document) => {
      if ('openapiObject' in document) markOptionalBodies(document.openapiObject);
      return 'openapiObject' in document ? document.openapiObject : document.swaggerObject;
    },
    refResolver: { buildLocalReference: (json) => String(json.$id) },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

interface Described {
  paths?: Record<string, object | undefined>;
}

/** The plugin calls every body required; one that may be `null` to Fastify may be left out. */
function markOptionalBodies({ paths = {} }: Described): void {
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path ?? {}) as unknown[])) {
    const { requestBody } = operation as { requestBody?: { required?: boolean; content?: Record<string, unknown> } };
    const json = requestBody?.content?.['application/json'] as { schema?: { anyOf?: { type?: string }[] } } | undefined;
    if (requestBody && json?.schema?.anyOf?.some(({ type }) => type === 'null')) requestBody.required = false;
  }
}
