import type { Schedule } from '@spillway/client';
import { type Go, Link } from '../link.tsx';
import { nextText, recurrenceText } from './recurrence-text.ts';

interface ScheduleListProps {
  schedules: readonly Schedule[];
  more: boolean;
  now: number;
  onGo: Go;
}

/** What submits jobs by the clock, and when next. */
export function ScheduleList({ schedules, more, now, onGo }: ScheduleListProps) {
  if (schedules.length === 0) {
    return (
      <div class="empty">
        <p>No schedules.</p>
        <p class="quiet">Put one with spillway schedules set, or with a PUT to /v1/schedules/&lt;name&gt;.</p>
      </div>
    );
  }
  return (
    <>
      <div class="table-box">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
              <th scope="col">When</th>
              <th scope="col">Next</th>
              <th scope="col">Last</th>
            </tr>
          </thead>
          <tbody>
            {schedules.map((schedule) => (
              <tr key={schedule.name}>
                <th scope="row">{schedule.name}</th>
                <td>{schedule.type}</td>
                <td>
                  <code>{recurrenceText(schedule)}</code>
                </td>
                <td>
                  <Next schedule={schedule} now={now} />
                </td>
                <td>
                  <Last schedule={schedule} onGo={onGo} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {more && <p class="quiet">There are more; spillway schedules lists all.</p>}
    </>
  );
}

function Next({ schedule, now }: { schedule: Schedule; now: number }) {
  const text = nextText(schedule, now);
  const [tick] = schedule.next;
  if (tick === undefined || schedule.paused) return text;
  return (
    <time datetime={tick} title={new Date(tick).toLocaleString()}>
      {text}
    </time>
  );
}

function Last({ schedule: { last }, onGo }: { schedule: Schedule; onGo: Go }) {
  if (!last) return '–';
  const text = last.error ? `${last.outcome}: ${last.error.message}` : last.outcome;
  if (!last.job) return text;
  return (
    <Link to={{ kind: 'job', id: last.job }} onGo={onGo}>
      {text}
    </Link>
  );
}
