import { describe, expect, test } from '@jest/globals';
import { weekDays, type WeeklyWindow } from '@sbox/protocol';
import * as fc from 'fast-check';
import { freezeAt } from './freeze-windows.ts';

const weekly = (change: Partial<WeeklyWindow>): WeeklyWindow => ({
  name: 'w',
  reason: 'r',
  days: ['sun'],
  from: '01:30',
  to: '02:30',
  time_zone: 'Europe/Amsterdam',
  ...change,
});

/** The minutes of a day or so at which it is frozen, as first and last. */
function frozenSpan(window: WeeklyWindow, from: string, hours = 36): [string, string] | undefined {
  const start = Date.parse(from);
  const minutes = Array.from({ length: hours * 60 }, (_, minute) => start + minute * 60_000);
  const frozen = minutes.filter((at) => freezeAt([window], at) !== undefined);
  const [first, last] = [frozen[0], frozen.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  // In one piece.
  expect(frozen).toHaveLength((last - first) / 60_000 + 1);
  return [new Date(first).toISOString().slice(11, 16), new Date(last + 60_000).toISOString().slice(11, 16)];
}

describe('clocks that change', () => {
  test.each([
    // What, window, from when on, when it is frozen in UTC.
    ['an ordinary Sunday', {}, '2026-03-21T12:00Z', ['00:30', '01:30']],
    ['forward: the end is skipped, and it is as long as ever', {}, '2026-03-28T12:00Z', ['00:30', '01:30']],
    ['forward: both are skipped', { from: '02:15', to: '02:45' }, '2026-03-28T12:00Z', ['01:15', '01:45']],
    ['back: the end is there twice, and the last counts', {}, '2026-10-24T12:00Z', ['23:30', '01:30']],
    ['back: both are there twice', { from: '02:15', to: '02:45' }, '2026-10-24T12:00Z', ['00:15', '01:45']],
    ['over midnight', { days: ['sat'], from: '22:00', to: '03:30' }, '2026-10-24T12:00Z', ['20:00', '02:30']],
    ['a whole day has 25 hours', { from: '00:00', to: '00:00' }, '2026-10-24T12:00Z', ['22:00', '23:00']],
    [
      'midnight is skipped',
      { from: '00:00', to: '06:00', time_zone: 'America/Santiago' },
      '2026-09-05T12:00Z',
      ['04:00', '09:00'],
    ],
    ['by half an hour', { time_zone: 'Australia/Lord_Howe' }, '2026-04-04T03:00Z', ['14:30', '16:00']],
  ] as const)('%s', (_, change, from, span) => {
    expect(frozenSpan(weekly(change as Partial<WeeklyWindow>), from)).toEqual(span);
  });
});

test('windows that follow one another have one end, and those that never do have none', () => {
  const at = Date.parse('2026-01-05T12:00:00Z');
  const days = weekDays.slice(0, 5);
  const workdays = weekly({ name: 'work', days: [...days], from: '00:00', to: '00:00', time_zone: 'UTC' });
  const once = { name: 'once', reason: 'fair', from: '2026-01-10T00:00:00Z', to: '2026-01-11T18:00:00Z' };
  expect(freezeAt([once, workdays], at)).toEqual({
    name: 'work',
    reason: 'r',
    untilMs: Date.parse('2026-01-11T18:00:00Z'),
  });
  expect(freezeAt([workdays], at)?.untilMs).toBe(Date.parse('2026-01-10T00:00:00Z'));
  expect(freezeAt([{ ...workdays, days: [...weekDays] }], at)?.untilMs).toBeNull();
  expect(freezeAt([once], at)).toBeUndefined();
  expect(freezeAt([once], Date.parse(once.to))).toBeUndefined();
});

const zones = ['UTC', 'Europe/Amsterdam', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Kiritimati', 'Asia/Tehran'];
const time = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
const windowArbitrary = fc.record({
  name: fc.constant('w'),
  reason: fc.constant('r'),
  days: fc.subarray([...weekDays], { minLength: 1 }),
  from: time,
  to: time,
  time_zone: fc.constantFrom(...zones),
});
const momentArbitrary = fc
  .integer({ min: Date.parse('2025-01-01T00:00Z') / 60_000, max: Date.parse('2027-12-31T00:00Z') / 60_000 })
  .map((minute) => minute * 60_000);

const clocks = new Map(
  zones.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    }),
  ]),
);

/** What a clock on the wall there shows. */
function wallClock(zone: string, at: number): { day: (typeof weekDays)[number]; time: string } {
  const parts = clocks.get(zone)?.formatToParts(at) ?? [];
  const part = (name: string): string => parts.find(({ type }) => type === name)?.value ?? '';
  return { day: part('weekday').toLowerCase() as (typeof weekDays)[number], time: `${part('hour')}:${part('minute')}` };
}

const hourMs = 3_600_000;
const changesNear = (zone: string, at: number): boolean =>
  wallClock(zone, at - 48 * hourMs).time !== wallClock(zone, at).time ||
  wallClock(zone, at + 48 * hourMs).time !== wallClock(zone, at).time;

test('where clocks do not change it is frozen when the clock on the wall says so', () => {
  fc.assert(
    fc.property(windowArbitrary, momentArbitrary, (window, at) => {
      const { days, from, to, time_zone: zone } = window;
      fc.pre(!changesNear(zone, at));
      const now = wallClock(zone, at);
      const yesterday = wallClock(zone, at - 24 * hourMs).day;
      const isOverNight = to <= from;
      const isOn = isOverNight
        ? (days.includes(now.day) && now.time >= from) || (days.includes(yesterday) && now.time < to)
        : days.includes(now.day) && now.time >= from && now.time < to;
      expect(freezeAt([window], at) !== undefined).toBe(isOn);
    }),
    { numRuns: 1000 },
  );
});

test('at its end it is over, and a moment before that it is not', () => {
  fc.assert(
    fc.property(fc.array(windowArbitrary, { minLength: 1, maxLength: 4 }), momentArbitrary, (windows, at) => {
      const until = freezeAt(windows, at)?.untilMs;
      if (until === undefined) return;
      if (until === null) {
        // Then every moment of the next weeks is frozen.
        for (let hour = 0; hour < 21 * 24; hour += 31)
          expect(freezeAt(windows, at + hour * hourMs)).not.toBeUndefined();
        return;
      }
      expect(until).toBeGreaterThan(at);
      expect(freezeAt(windows, until)).toBeUndefined();
      expect(freezeAt(windows, until - 1)).not.toBeUndefined();
      expect(freezeAt(windows, at + (until - at) / 2)).not.toBeUndefined();
    }),
    { numRuns: 300 },
  );
});
