import { isFinal, type Job, type JobType, type Links, SpillwayError, SubmitRequest } from '@spillway/contracts';
import { type Caller, OPEN_CALLER } from '@spillway/runtime';
import { Type } from 'typebox';
import type { App } from '../../app.ts';
import type { Catalogue } from '../../catalogue.ts';
import type { Services } from '../../services.ts';
import { problems, scoped, WAIT_MAX_S } from '../schema.ts';
import { watchGrant } from '../tokens/mint.ts';

const schema = {
  operationId: 'submitJob',
  summary: 'Submit a job',
  description: 'Answers 202 once the job is stored, or 200 where `Prefer: wait=<seconds>` saw it end.',
  tags: ['jobs'],
  headers: Type.Object({ prefer: Type.Optional(Type.String({ description: 'wait=<seconds> waits for the end' })) }),
  body: SubmitRequest,
  response: {
    200: { description: 'The job has ended.', ...Type.Ref('SubmitReply') },
    202: { description: 'The job is stored and will run.', ...Type.Ref('SubmitReply') },
    ...problems(
      'invalid_request',
      'invalid_json',
      'unknown_type',
      'invalid_input',
      'body_too_large',
      'unsupported_media_type',
    ),
  },
};

export function submitJob(app: App, { producer, catalogue, metrics, waitForEnd, tokens }: Services): void {
  app.post('/v1/jobs', { schema, config: scoped('submit') }, async (request, reply) => {
    const { input = {}, options } = request.body;
    const waitS = readPrefer(request.headers.prefer);
    const type = await checkedType(catalogue, request.body);
    tokens.assertReady();
    const submitted = await producer.submit({ type, input, options, tenant: tenantOf(request.caller) });
    metrics.countSubmit(type);
    const job = waitS > 0 ? await waitForEnd(submitted.id, waitS * 1000) : submitted;
    if (waitS > 0) reply.header('preference-applied', `wait=${waitS}`);
    return reply
      .code(isFinal(job.state) ? 200 : 202)
      .header('location', `/v1/jobs/${job.id}`)
      .send({ ...job, links: linksOf(job), watch: watchGrant(tokens, request, { jobs: [job.id] }) });
  });
}

/** The type that is asked for. @throws SpillwayError `unknown_type`, or `invalid_input` where the input does not fit its schema. */
export async function checkedType(catalogue: Catalogue, { type: name, input = {} }: SubmitRequest): Promise<JobType> {
  const { type, checkInput } = await catalogue.find(name);
  const errors = checkInput(input).map(({ pointer, message }) => ({
    pointer: `/input${pointer}`,
    message: `/input${message.startsWith('/') ? '' : ' '}${message}`,
  }));
  if (errors.length === 0) return type;
  throw new SpillwayError(
    'invalid_input',
    `the input does not fit ${name}: ${errors.map(({ message }) => message).join('; ')}`,
    { errors },
  );
}

/** The name that a job is filed under. Where no keys are configured there are no tenants, and jobs need no index of them. */
export function tenantOf(caller: Caller | undefined): string | undefined {
  return caller === OPEN_CALLER ? undefined : caller?.name;
}

function linksOf({ id }: Job): Links {
  const self = `/v1/jobs/${id}`;
  return { self, result: `${self}/result`, log: `${self}/log`, output: `${self}/output` };
}

/** Seconds of a `wait` preference (RFC 7240), capped; other preferences are none of ours and are ignored, as the RFC says. */
function readPrefer(prefer: string | undefined): number {
  const seconds = /(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])/.exec(prefer ?? '')?.[1];
  return Math.min(Number(seconds ?? 0), WAIT_MAX_S);
}
