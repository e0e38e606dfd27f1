const DAY = 86_400_000;

/**
 * The instant at which a day begins in a time zone, `daysLater` days after it. Where the clocks jump over midnight that
 * is the first instant of the day; where they repeat it, the first of the two.
 */
export function startOfDay(day: string, timeZone: string, daysLater = 0): Date {
  const midnight = Date.parse(`${day}T00:00:00Z`) + daysLater * DAY;
  const wallClock = wallClockOf(timeZone);
  const offsets = [midnight - DAY, midnight + DAY].map((instant) => wallClock(instant) - instant);
  const candidates = offsets.map((offset) => midnight - offset).toSorted((a, b) => a - b);
  return new Date(candidates.find((instant) => wallClock(instant) >= midnight) ?? candidates.at(-1)!);
}

/** What a clock in the zone shows at an instant, written as if it were UTC (both in milliseconds). */
function wallClockOf(timeZone: string): (instant: number) => number {
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23',
    year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
  });
  return (instant) => {
    const parts = new Map(clock.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type)!;
    return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  };
}
