import { IdempotencyKey } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import { submitScheduled } from '../../schedules/fire.ts';
import { toSchedule } from '../../schedules/public-schedule.ts';
import { readRecurrence } from '../../schedules/recurrence.ts';
import type { Services } from '../../services.ts';
import { isNew } from '../jobs/submit.ts';
import { problems, scoped } from '../schema.ts';
import { assertMaySubmit } from './may-submit.ts';
import { ScheduleParams } from './params.ts';

const shared = { tags: ['schedules'], params: ScheduleParams };
const control = scoped('control');

const remove = {
  ...shared,
  operationId: 'removeSchedule',
  summary: 'Remove a schedule',
  description: 'Jobs that it has submitted stay.',
  response: { 204: { description: 'The schedule is gone.', type: 'null' }, ...problems('schedule_not_found') },
};

const pause = {
  ...shared,
  operationId: 'pauseSchedule',
  summary: 'Pause a schedule',
  description:
    'Its ticks pass without a job, and are not made up for. Jobs that it has submitted go on. `done` is false where it was paused already.',
  response: {
    200: { description: 'The schedule is paused.', ...Type.Ref('ScheduleControlReply') },
    ...problems('schedule_not_found'),
  },
};

const resume = {
  ...shared,
  operationId: 'resumeSchedule',
  summary: 'Resume a schedule',
  description: 'It goes on with its next tick from now on. `done` is false where it was not paused.',
  response: {
    200: { description: 'The schedule fires.', ...Type.Ref('ScheduleControlReply') },
    ...problems('schedule_not_found'),
  },
};

const trigger = {
  ...shared,
  operationId: 'triggerSchedule',
  summary: 'Submit a schedule’s job now',
  description:
    'Beside its ticks, which stay as they are, and also while it is paused. `overlap` holds here too: `done` is false where the job in the reply is an earlier one that has not ended. The same `Idempotency-Key` is the same job. Needs the scope submit beside control.',
  headers: Type.Object({ 'idempotency-key': Type.Optional(IdempotencyKey) }),
  response: {
    200: { description: 'An earlier job stands.', ...Type.Ref('ControlReply') },
    202: { description: 'The job is stored and will run.', ...Type.Ref('ControlReply') },
    ...problems('schedule_not_found', 'unknown_type', 'invalid_input', 'idempotency_key_reused'),
  },
};

export function controlSchedule(app: App, services: Services): void {
  const { schedules } = services;
  app.delete('/v1/schedules/:name', { schema: remove, config: control }, async ({ params: { name } }, reply) => {
    await schedules.remove(name);
    return reply.code(204).send();
  });
  app.post('/v1/schedules/:name/pause', { schema: pause, config: control }, async ({ params: { name } }) => {
    const done = await schedules.pause(name);
    return { done, schedule: toSchedule(await schedules.get(name)) };
  });
  app.post('/v1/schedules/:name/resume', { schema: resume, config: control }, async ({ params: { name } }) => {
    const done = await schedules.resume(name, async ({ definition, changedAt, ticks }) => {
      if (definition.limit !== undefined && ticks >= definition.limit) return undefined;
      return readRecurrence(definition, changedAt)(await schedules.now());
    });
    return { done, schedule: toSchedule(await schedules.get(name)) };
  });
  app.post('/v1/schedules/:name/trigger', { schema: trigger, config: control }, async (request, reply) => {
    assertMaySubmit(request.caller);
    const schedule = await schedules.get(request.params.name);
    const by = { idempotencyKey: request.headers['idempotency-key'] };
    const submitted = await submitScheduled(services, schedule, by);
    const { replayed: _told, deduplicated: _said, removed: _gone, ...job } = submitted;
    const done = isNew(submitted);
    return reply.code(done ? 202 : 200).send({ done, job });
  });
}
