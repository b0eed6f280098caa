/** The difference between a zone's clock and UTC, in milliseconds, at a moment. */
export type OffsetAt = (ms: number) => number;

const FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;
/** Names of the tz database; offsets such as +02:00 are none, and newer Nodes would take them. */
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/;
const SECOND_MS = 1000;
/** No clock was ever moved further at once, but where a whole day was left out. */
const FAR_MS = 86_400_000;

/** The clock of a zone by its IANA name, or undefined where this process knows none of that name. */
export function clockOf(timezone: string): OffsetAt | undefined {
  if (timezone === 'UTC') return () => 0;
  if (!ZONE_NAME.test(timezone)) return undefined;
  try {
    return offsetsOf(
      new Intl.DateTimeFormat('en-US', {
        timeZone: timezone,
        hourCycle: 'h23',
        calendar: 'gregory',
        ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
      }),
    );
  } catch {
    // A RangeError is the only way in which Intl says that it does not know a name.
    return undefined;
  }
}

function offsetsOf(format: Intl.DateTimeFormat): OffsetAt {
  return (ms) => {
    const shown = new Map(format.formatToParts(ms).map(({ type, value }) => [type as string, Number(value)]));
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = FIELDS.map((field) => shown.get(field));
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / SECOND_MS) * SECOND_MS;
  };
}

/**
 * The moments at which the clock shows `wall` (milliseconds, as if it were UTC): two where it is put back over that time.
 * A time that the clock skips is the moment at which an unchanged clock would have shown it: 02:30 is then what is called
 * 03:30.
 */
export function momentsOf(wall: number, offsetAt: OffsetAt): number[] {
  const before = wall - offsetAt(wall - FAR_MS);
  const after = wall - offsetAt(wall + FAR_MS);
  const shown = [...new Set([before, after])].filter((moment) => moment + offsetAt(moment) === wall);
  return shown.length > 0 ? shown.sort((a, b) => a - b) : [before];
}
