import {
  IdempotencyKey,
  isFinal,
  type Job,
  type JobType,
  SpillwayError,
  type SubmitReceipt,
  type SubmitReply,
  SubmitRequest,
  type WatchGrant,
} from '@spillway/contracts';
import type { SubmittedJob } from '@spillway/queue/producer';
import { type Caller, OPEN_CALLER } from '@spillway/runtime';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Catalogue } from '../../catalogue.ts';
import type { Services } from '../../services.ts';
import { problems, scoped, WAIT_MAX_S } from '../schema.ts';
import { watchGrant } from '../tokens/mint.ts';

const REPLY = Type.Union([Type.Ref('SubmitReply'), Type.Ref('SubmitReceipt')]);

/** The header that tells a replay. */
export const REPLAYED = {
  'Idempotent-Replayed': { type: 'string', description: '`true` where the idempotency key was used before' },
};

const schema = {
  operationId: 'submitJob',
  summary: 'Submit a job',
  description:
    'Answers 202 once the job is stored, or 200 where `Prefer: wait=<seconds>` saw it end. The same request under the same `Idempotency-Key` answers 200 with the same job as it stands now and `Idempotent-Replayed: true`. With `Prefer: return=minimal` the reply is a SubmitReceipt, which costs less: for submitters that send many jobs and hand none of them to a browser.',
  tags: ['jobs'],
  headers: Type.Object({
    'idempotency-key': Type.Optional(IdempotencyKey),
    prefer: Type.Optional(
      Type.String({
        description: 'wait=<seconds> waits for the end, return=minimal asks for no more than id and state',
      }),
    ),
  }),
  body: SubmitRequest,
  response: {
    200: { description: 'The job has ended, or the idempotency key was used before.', headers: REPLAYED, ...REPLY },
    202: { description: 'The job is stored and will run.', ...REPLY },
    ...problems(
      'invalid_request',
      'invalid_json',
      'unknown_type',
      'invalid_input',
      'idempotency_key_reused',
      'queue_full',
      'body_too_large',
      'unsupported_media_type',
    ),
  },
};

export function submitJob(app: App, { producer, catalogue, metrics, waitForEnd, tokens }: Services): void {
  // A serializer made from the schema would try the union's parts one after the other, at several times the cost of JSON's own.
  const route = { schema, config: scoped('submit'), serializerCompiler: () => JSON.stringify };
  app.post('/v1/jobs', route, async (request, reply) => {
    const { input = {}, options } = request.body;
    const { waitS, minimal } = readPrefer(request.headers.prefer);
    const type = await checkedType(catalogue, request.body);
    if (!minimal) tokens.assertReady();
    const submitted = await producer.submit({
      type,
      input,
      options,
      tenant: tenantOf(request.caller),
      idempotencyKey: request.headers['idempotency-key'],
    });
    if (isNew(submitted)) metrics.countSubmit(type);
    const job = waitS > 0 ? await afterWait(submitted, (id) => waitForEnd(id, waitS * 1000)) : submitted;
    const applied = preferenceApplied(waitS, minimal);
    if (applied) reply.header('preference-applied', applied);
    if (job.replayed) reply.header('idempotent-replayed', 'true');
    reply.code(job.replayed || isFinal(job.state) ? 200 : 202).header('location', `/v1/jobs/${job.id}`);
    return reply.send(minimal ? toReceipt(job) : toReply(job, watchGrant(tokens, request, { jobs: [job.id] })));
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

function toReply({ input: _known, replayed: _told, ...job }: SubmittedJob, watch: WatchGrant): SubmitReply {
  const self = `/v1/jobs/${job.id}`;
  const links = { self, result: `${self}/result`, log: `${self}/log`, output: `${self}/output` };
  return { ...job, links, watch };
}

export function isNew({ replayed, deduplicated }: SubmittedJob): boolean {
  return !replayed && !deduplicated;
}

/** What a submit found is still true after the wait; a job that is gone is not waited for. */
async function afterWait(submitted: SubmittedJob, end: (id: string) => Promise<Job>): Promise<SubmittedJob> {
  const { replayed, deduplicated, removed } = submitted;
  if (removed) return submitted;
  return { ...(await end(submitted.id)), ...(replayed && { replayed }), ...(deduplicated && { deduplicated }) };
}

function toReceipt({ id, state, deduplicated, removed }: SubmittedJob): SubmitReceipt {
  return { id, state, ...(deduplicated && { deduplicated }), ...(removed && { removed }) };
}

interface Preferences {
  /** How long to wait for the end, capped. */
  waitS: number;
  minimal: boolean;
}

/** Preferences of RFC 7240; those that are none of ours are ignored, as the RFC says. */
function readPrefer(prefer: string | undefined): Preferences {
  if (!prefer) return { waitS: 0, minimal: false };
  const seconds = /(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])/.exec(prefer)?.[1];
  return {
    waitS: Math.min(Number(seconds ?? 0), WAIT_MAX_S),
    minimal: /(?:^|[,;\s])return=minimal(?:$|[,;\s])/.test(prefer),
  };
}

function preferenceApplied(waitS: number, minimal: boolean): string {
  return [...(waitS > 0 ? [`wait=${waitS}`] : []), ...(minimal ? ['return=minimal'] : [])].join(', ');
}
