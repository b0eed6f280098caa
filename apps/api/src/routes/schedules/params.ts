import { ScheduleName } from '@spillway/contracts';
import { Type } from 'typebox';

export const ScheduleParams = Type.Object({ name: ScheduleName });
