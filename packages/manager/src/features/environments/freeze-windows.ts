import { weekDays, type FreezeWindow, type WeeklyWindow } from '@sbox/protocol';

/** A freeze that is on. */
export interface Freeze {
  /** Of the window that began it. */
  readonly name: string;
  readonly reason: string;
  /** When nothing is frozen any more, over all windows that follow one another; null: there is no such moment. */
  readonly untilMs: number | null;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const dayMs = 86_400_000;
/** A week without a gap has none in any week; one more, because clocks may skip the only gap of one. */
const endlessMs = 16 * dayMs;

/** The freeze that is on at a moment, if there is one. */
export function freezeAt(windows: readonly FreezeWindow[], atMs: number): Freeze | undefined {
  const first = windows.find((window) => endOf(window, atMs) !== undefined);
  if (!first) return undefined;
  const { name, reason } = first;
  const lastOnce = Math.max(...windows.map((window) => ('days' in window ? atMs : Date.parse(window.to))));
  let untilMs = atMs;
  while (untilMs <= Math.max(atMs, lastOnce) + endlessMs) {
    const ends = windows.map((window) => endOf(window, untilMs)).filter((end) => end !== undefined);
    if (ends.length === 0) return { name, reason, untilMs };
    untilMs = Math.max(...ends);
  }
  return { name, reason, untilMs: null };
}

/** When a window that is on at a moment ends; undefined when it is not on. */
function endOf(window: FreezeWindow, atMs: number): number | undefined {
  const spans = 'days' in window ? spansAround(window, atMs) : [onceOf(window)];
  const ends = spans.filter(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs).map(({ toMs }) => toMs);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

const onceOf = ({ from, to }: { readonly from: string; readonly to: string }): Span => ({
  fromMs: Date.parse(from),
  toMs: Date.parse(to),
});

/** Those that begin on the day of a moment, as it is there, and on the days before that could still be on. */
function spansAround({ days, from, to, time_zone: zone }: WeeklyWindow, atMs: number): Span[] {
  const local = new Date(atMs + offsetAt(zone, atMs));
  const today = Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate());
  return [-2, -1, 0].flatMap((ago): Span[] => {
    const day = today + ago * dayMs;
    // The week of `Date` begins on Sunday, ours on Monday.
    const name = weekDays[(new Date(day).getUTCDay() + 6) % 7];
    if (name === undefined || !days.includes(name)) return [];
    const [begins, ends] = [timeOfDay(from), timeOfDay(to)];
    const end = ends > begins ? day + ends : day + dayMs + ends;
    // A time that is there twice begins with the first and ends with the last: a freeze is rather longer than shorter.
    return [{ fromMs: Math.min(...momentsOf(zone, day + begins)), toMs: Math.max(...momentsOf(zone, end)) }];
  });
}

function timeOfDay(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return (hours * 60 + minutes) * 60_000;
}

/**
 * The moments at which clocks of a zone show a time: two when they are put back, else one. A time that clocks skip is
 * counted by the offset before the gap (RFC 5545, 3.3.5).
 */
function momentsOf(zone: string, localMs: number): [number, ...number[]] {
  // Offsets are less than a day, and no zone changes twice within two.
  const before = localMs - offsetAt(zone, localMs - dayMs);
  const after = localMs - offsetAt(zone, localMs + dayMs);
  const shown = [before, after].filter((moment) => moment + offsetAt(zone, moment) === localMs);
  return shown.length === 0 ? [before] : (shown as [number, ...number[]]);
}

const formats = new Map<string, Intl.DateTimeFormat>();
const offsets = new Map<string, number>();
const mostOffsets = 10_000;
/** Clocks change at whole quarters of an hour. */
const quarterMs = 900_000;

/** How far clocks of a zone are ahead of UTC at a moment, in milliseconds; kept, because asking takes long. */
function offsetAt(zone: string, atMs: number): number {
  const quarter = Math.floor(atMs / quarterMs) * quarterMs;
  const key = `${zone} ${quarter}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  if (offsets.size >= mostOffsets) offsets.clear();
  const offset = askOffset(zone, quarter);
  offsets.set(key, offset);
  return offset;
}

function askOffset(zone: string, second: number): number {
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(second)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (name: string): number => parts[name] ?? 0;
  const shown = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return shown - second;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(zone, made);
  return made;
}
