import { ScheduleRequest, SpillwayError } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import { toSchedule } from '../../schedules/public-schedule.ts';
import { firstTick } from '../../schedules/recurrence.ts';
import type { Services } from '../../services.ts';
import { checkedType, tenantOf } from '../jobs/submit.ts';
import { problems, scoped } from '../schema.ts';
import { assertMaySubmit } from './may-submit.ts';
import { ScheduleParams } from './params.ts';

const schema = {
  operationId: 'putSchedule',
  summary: 'Make or replace a schedule',
  description:
    'A recurrence that submits jobs, by exactly one of `cron` and `everyMs`. The same again changes nothing and leaves its rhythm alone; anything else replaces it and counts from now. One that is paused stays paused. Needs the scope submit beside control. `next` of the reply shows when it will be due.',
  tags: ['schedules'],
  params: ScheduleParams,
  body: ScheduleRequest,
  response: {
    200: { description: 'The schedule was there, and is as asked for.', ...Type.Ref('Schedule') },
    201: { description: 'The schedule is new.', ...Type.Ref('Schedule') },
    ...problems(
      'invalid_request',
      'invalid_json',
      'unknown_type',
      'invalid_input',
      'too_many_schedules',
      'body_too_large',
      'unsupported_media_type',
    ),
  },
};

export function putSchedule(app: App, { schedules, catalogue }: Services): void {
  app.put('/v1/schedules/:name', { schema, config: scoped('control') }, async (request, reply) => {
    const { name } = request.params;
    const definition = request.body;
    assertMaySubmit(request.caller);
    assertOneRule(definition);
    await checkedType(catalogue, definition);
    const now = await schedules.now();
    const due = firstTick(definition, now);
    const outcome = await schedules.put({ name, definition, tenant: tenantOf(request.caller), due, now });
    reply.code(outcome === 'created' ? 201 : 200).header('location', `/v1/schedules/${name}`);
    return toSchedule(await schedules.get(name));
  });
}

/** Both say what happens beside another job, each in its own way. */
function assertOneRule({ options, overlap }: ScheduleRequest): void {
  if (!options?.dedupe || overlap === undefined) return;
  const message = `/options/dedupe: expected none beside overlap, got it beside ${JSON.stringify(overlap)}`;
  throw new SpillwayError('invalid_request', message, { errors: [{ pointer: '/options/dedupe', message }] });
}
