import type {
  ControlReply,
  Schedule,
  ScheduleControlReply,
  ScheduleList,
  ScheduleListQuery,
  ScheduleRequest,
} from '@spillway/contracts';
import type { Http } from './http.ts';

/** Recurrences that submit jobs. */
export interface ScheduleCalls {
  /** One page, by name, without inputs; pass `next` as `cursor` for the one after it. */
  schedules(query?: Omit<ScheduleListQuery, 'limit'> & { limit?: number }): Promise<ScheduleList>;
  schedule(name: string): Promise<Schedule>;
  /** Makes or replaces it. The same again changes nothing, so a deploy may put its schedules each time. */
  putSchedule(name: string, schedule: ScheduleRequest): Promise<Schedule>;
  /** Jobs that it has submitted stay. */
  removeSchedule(name: string): Promise<void>;
  /** `done` is false where it was paused already. */
  pauseSchedule(name: string): Promise<ScheduleControlReply>;
  resumeSchedule(name: string): Promise<ScheduleControlReply>;
  /** Submits its job now. `done` is false where `job` is an earlier one that has not ended. */
  triggerSchedule(name: string, options?: { idempotencyKey?: string | undefined }): Promise<ControlReply>;
}

export function scheduleCalls(http: Http): ScheduleCalls {
  const at = (name: string, verb = '') => `/v1/schedules/${encodeURIComponent(name)}${verb}`;
  return {
    schedules: (query = {}) => http.json<ScheduleList>('GET', '/v1/schedules', { query }),
    schedule: (name) => http.json<Schedule>('GET', at(name)),
    putSchedule: (name, schedule) => http.json<Schedule>('PUT', at(name), { body: schedule }),
    removeSchedule: (name) => http.empty('DELETE', at(name)),
    pauseSchedule: (name) => http.json<ScheduleControlReply>('POST', at(name, '/pause')),
    resumeSchedule: (name) => http.json<ScheduleControlReply>('POST', at(name, '/resume')),
    triggerSchedule: (name, { idempotencyKey: key } = {}) =>
      http.json<ControlReply>('POST', at(name, '/trigger'), {
        headers: key === undefined ? {} : { 'idempotency-key': key },
      }),
  };
}
