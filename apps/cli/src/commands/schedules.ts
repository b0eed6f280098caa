import type { Schedule, ScheduleRequest } from '@spillway/client';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import { readInput } from '../input.ts';
import type { Session } from '../session.ts';
import { table } from '../text.ts';

export interface ScheduleFlags extends Omit<ScheduleRequest, 'type' | 'input' | 'options'> {
  input?: string;
}

export async function schedules(session: Session): Promise<ExitCode> {
  const found = await allSchedules(session);
  if (session.json) for (const schedule of found) session.printJson(schedule);
  else if (found.length === 0) session.note('no schedules');
  else session.print(scheduleTable(session, found));
  return EXIT_CODES.ok.code;
}

export async function setSchedule(
  session: Session,
  name: string,
  type: string,
  { input: source, ...times }: ScheduleFlags,
): Promise<ExitCode> {
  const input = await readInput(source, session.terminal.stdin);
  const schedule = await session.client.putSchedule(name, { type, ...(input !== undefined && { input }), ...times });
  const next = schedule.paused ? 'paused' : schedule.next.map((tick) => `next ${tick}`).join('\n');
  return tell(session, schedule, next);
}

export async function pauseSchedule(session: Session, name: string): Promise<ExitCode> {
  const { done, schedule } = await session.client.pauseSchedule(name);
  return tell(session, schedule, `${name} ${done ? 'paused' : 'was paused already'}`);
}

export async function resumeSchedule(session: Session, name: string): Promise<ExitCode> {
  const { done, schedule } = await session.client.resumeSchedule(name);
  return tell(session, schedule, `${name} ${done ? 'goes on' : 'was not paused'}; next ${schedule.next[0] ?? 'never'}`);
}

/** Standard output is the id of the job and nothing else, as with `submit`. */
export async function triggerSchedule(session: Session, name: string): Promise<ExitCode> {
  const { done, job } = await session.client.triggerSchedule(name);
  if (!done) session.note('an earlier job has not ended');
  return tell(session, job, job.id);
}

export async function removeSchedule(session: Session, name: string): Promise<ExitCode> {
  await session.client.removeSchedule(name);
  return tell(session, { name, removed: true }, `${name} removed`);
}

async function allSchedules({ client }: Session): Promise<Schedule[]> {
  const found: Schedule[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.schedules({ limit: 100, ...(cursor && { cursor }) });
    found.push(...page.schedules);
    cursor = page.next;
  } while (cursor);
  return found;
}

function scheduleTable(session: Session, found: readonly Schedule[]): string {
  const rows = found.map(({ name, type, cron, timezone, everyMs, paused, next, last }) => [
    name,
    type,
    cron === undefined ? `every ${everyMs} ms` : `${cron}${timezone === undefined ? '' : ` ${timezone}`}`,
    paused ? 'paused' : (next[0] ?? 'ended'),
    last?.outcome ?? '',
  ]);
  return table(session, ['name', 'type', 'when', 'next', 'last'], rows);
}

function tell(session: Session, found: object, text: string): ExitCode {
  if (session.json) session.printJson(found);
  else session.print(text);
  return EXIT_CODES.ok.code;
}
