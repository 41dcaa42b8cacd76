import { createFakeClock } from '@sbox/core';
import type { ExtraProbe } from '@sbox/protocol';
import { describe, expect, test } from '@jest/globals';
import type { Look } from './look.ts';
import { createProbeSchedule, type ProbedUnit } from './probe-schedule.ts';
import type { ProbeState } from './probe-state.ts';

const tcp = (id: string, more: Partial<ExtraProbe> = {}): ExtraProbe =>
  ({ id, type: 'tcp', address: '127.0.0.1:1', ...more }) as ExtraProbe;
const unit = (name: string, ...probes: ExtraProbe[]): ProbedUnit => ({ name, version: '1', probes, way: () => null });

function open(answer: (id: string) => boolean | null = () => true) {
  const clock = createFakeClock();
  const looks: { id: string; at: number }[] = [];
  const changes: [string, ProbeState['up']][] = [];
  let [running, most] = [0, 0];
  const held: (() => void)[] = [];
  let isHeld = false;
  const look: Look = async ({ id }) => {
    looks.push({ id, at: clock.monotonic() });
    most = Math.max(most, (running += 1));
    if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
    running -= 1;
    return { ok: answer(id), detail: `${id} looked at` };
  };
  const schedule = createProbeSchedule({
    look,
    clock,
    random: () => 0.5,
    onChange: (_, { id, up }) => void changes.push([id, up]),
  });
  return {
    schedule,
    clock,
    looks,
    changes,
    hold: () => void (isHeld = true),
    letGo: () => held.splice(0).forEach((go) => go()),
    most: () => most,
  };
}

describe('the probes of the units that run', () => {
  test('are looked at every ten seconds, or as often as they say', async () => {
    const { schedule, clock, looks } = open();
    schedule.follow([unit('edge', tcp('a'), tcp('b', { every_ms: 5000 }))]);
    expect(schedule.states('edge')).toMatchObject([
      { id: 'a', up: null },
      { id: 'b', up: null },
    ]);
    await clock.advance(20_300);
    expect(looks.filter(({ id }) => id === 'a').map(({ at }) => at)).toEqual([250, 10_250, 20_250]);
    expect(looks.filter(({ id }) => id === 'b')).toHaveLength(5);
    expect(schedule.states('edge')).toMatchObject([{ id: 'a', up: true, detail: 'a looked at' }, { up: true }]);
    await schedule[Symbol.asyncDispose]();
  });

  test('tell when they go down and come up', async () => {
    let isGood = true;
    const { schedule, clock, changes } = open(() => isGood);
    schedule.follow([unit('edge', tcp('a'))]);
    await clock.advance(1000);
    isGood = false;
    await clock.advance(20_000);
    expect(changes).toEqual([['a', true]]);
    await clock.advance(10_000);
    isGood = true;
    await clock.advance(20_000);
    expect(changes).toEqual([
      ['a', true],
      ['a', false],
      ['a', true],
    ]);
    await schedule[Symbol.asyncDispose]();
  });

  test('go on over the same version, begin anew with another, and end with the unit', async () => {
    const { schedule, clock, looks } = open(() => false);
    const edge = unit('edge', tcp('a', { fail: 1 }));
    schedule.follow([edge]);
    await clock.advance(1000);
    schedule.follow([{ ...edge }]);
    await clock.advance(1000);
    expect(looks).toHaveLength(1);
    expect(schedule.states('edge')).toMatchObject([{ up: false }]);
    schedule.follow([{ ...edge, version: '2' }]);
    expect(schedule.states('edge')).toMatchObject([{ up: null }]);
    await clock.advance(1000);
    expect(looks).toHaveLength(2);
    schedule.follow([]);
    await clock.advance(60_000);
    expect(looks).toHaveLength(2);
    expect([schedule.states('edge'), clock.sleeping]).toEqual([[], 0]);
  });

  test('stay stopped', async () => {
    const { schedule, clock, looks } = open();
    await schedule[Symbol.asyncDispose]();
    schedule.follow([unit('edge', tcp('a'))]);
    await clock.advance(1000);
    expect([looks, clock.sleeping]).toEqual([[], 0]);
  });

  test('are looked at four at a time, and none is forgotten', async () => {
    const { schedule, clock, looks, hold, letGo, most } = open();
    hold();
    const ids = Array.from({ length: 10 }, (_, index) => `p${index}`);
    schedule.follow([
      unit('a', ...ids.slice(0, 5).map((id) => tcp(id))),
      unit('b', ...ids.slice(5).map((id) => tcp(id))),
    ]);
    await clock.advance(1000);
    expect(looks).toHaveLength(4);
    for (let round = 0; round < 3; round += 1) {
      letGo();
      await clock.advance(0);
    }
    expect(new Set(looks.map(({ id }) => id))).toEqual(new Set(ids));
    expect(most()).toBe(4);
    await schedule[Symbol.asyncDispose]();
  });
});
