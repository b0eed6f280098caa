import { ScheduleName } from '@spillway/contracts';
import { Type } from '@spillway/schema';

export const ScheduleParams = Type.Object({ name: ScheduleName });
