import { ScheduleListQuery } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import { toListed, toSchedule } from '../../schedules/public-schedule.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';
import { ScheduleParams } from './params.ts';

const DEFAULT_LIMIT = 20;

const all = {
  operationId: 'listSchedules',
  summary: 'List schedules',
  description: 'By name, without their inputs and with the next tick alone.',
  tags: ['schedules'],
  querystring: ScheduleListQuery,
  response: { 200: { description: 'One page.', ...Type.Ref('ScheduleList') }, ...problems('invalid_request') },
};

const one = {
  operationId: 'getSchedule',
  summary: 'Read a schedule',
  description: 'What it submits and when, its next ticks, and what became of the last one.',
  tags: ['schedules'],
  params: ScheduleParams,
  response: { 200: { description: 'The schedule.', ...Type.Ref('Schedule') }, ...problems('schedule_not_found') },
};

export function listSchedules(app: App, { schedules }: Services): void {
  app.get('/v1/schedules', { schema: all, config: scoped('read') }, async ({ query: { limit, cursor } }) => {
    const page = await schedules.list({ limit: Number(limit ?? DEFAULT_LIMIT), cursor });
    return { ...page, schedules: page.schedules.map(toListed) };
  });
  app.get('/v1/schedules/:name', { schema: one, config: scoped('read') }, async ({ params: { name } }) =>
    toSchedule(await schedules.get(name)),
  );
}
