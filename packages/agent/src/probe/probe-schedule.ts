import { isoTime, type Clock } from '@sbox/core';
import type { ExtraProbe } from '@sbox/protocol';
import type { Look } from './look.ts';
import { countLook, freshCount, type ProbeCount, type ProbeState } from './probe-state.ts';
import type { ProbeWay } from './request.ts';

/** A unit that runs, with the version whose probes are looked at. */
export interface ProbedUnit {
  readonly name: string;
  /** Another version begins anew: what the one before did is not its fault. */
  readonly version: string;
  readonly probes: readonly ExtraProbe[];
  /** Asked at each look, as an engine may have moved. */
  readonly way: () => ProbeWay | null;
}

/** Looks at what runs, at the pace that the manifest gives, a few at a time. */
export interface ProbeSchedule extends AsyncDisposable {
  /** From now on exactly these are looked at; those that stay the same go on. */
  follow(units: readonly ProbedUnit[]): void;
  /** In the order of the manifest; probes without a look so far are there with `up` null. */
  states(unit: string): readonly ProbeState[];
}

export interface ScheduleDeps {
  readonly look: Look;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** A probe went up or down. */
  readonly onChange: (unit: string, state: ProbeState) => void;
}

const everyDefaultMs = 10_000;
/** ± 10 %, so that units and servers that came up together do not look together for ever. */
const jitter = 0.1;
const maxAtOnce = 4;
/** The first looks of a unit are spread over so long. */
const spreadMs = 500;

interface Followed {
  readonly key: string;
  readonly unit: ProbedUnit;
  readonly states: Map<string, ProbeState>;
  readonly stop: AbortController;
  readonly done: Promise<unknown>;
}

export function createProbeSchedule({ look, clock, random, onChange }: ScheduleDeps): ProbeSchedule {
  const followed = new Map<string, Followed>();
  const ending = new Set<Promise<unknown>>();
  const gate = createGate(maxAtOnce);
  let isOver = false;

  async function run(unit: ProbedUnit, probe: ExtraProbe, states: Map<string, ProbeState>, signal: AbortSignal) {
    let count: ProbeCount = freshCount;
    await clock.sleep(random() * spreadMs, signal);
    for (;;) {
      const { ok, detail } = await gate(async () => await look(probe, unit.way(), signal), signal);
      signal.throwIfAborted();
      const before = count.up;
      count = countLook(count, ok, probe);
      const state = { id: probe.id, up: count.up, detail, at: isoTime(clock.now()) };
      states.set(probe.id, state);
      if (count.up !== before) onChange(unit.name, state);
      await clock.sleep((probe.every_ms ?? everyDefaultMs) * (1 - jitter + 2 * jitter * random()), signal);
    }
  }

  function begin(unit: ProbedUnit, key: string): void {
    const stop = new AbortController();
    const states = new Map<string, ProbeState>();
    const done = Promise.allSettled(unit.probes.map(async (probe) => await run(unit, probe, states, stop.signal)));
    followed.set(unit.name, { key, unit, states, stop, done });
  }

  function end({ unit, stop, done }: Followed): void {
    followed.delete(unit.name);
    stop.abort(new Error('not looked at any more'));
    ending.add(done);
    void forget(done);
  }

  async function forget(done: Promise<unknown>): Promise<void> {
    await done;
    ending.delete(done);
  }

  return {
    follow(units) {
      // Units still change while everything is being stopped.
      if (isOver) return;
      const wanted = new Map(units.map((unit) => [unit.name, unit]));
      for (const one of followed.values()) if (!wanted.has(one.unit.name)) end(one);
      for (const unit of wanted.values()) {
        const key = JSON.stringify([unit.version, unit.probes]);
        const known = followed.get(unit.name);
        if (known?.key === key) continue;
        if (known !== undefined) end(known);
        if (unit.probes.length > 0) begin(unit, key);
      }
    },
    states(name) {
      const { unit, states } = followed.get(name) ?? {};
      return (unit?.probes ?? []).map(
        ({ id }) => states?.get(id) ?? { id, up: null, detail: 'not looked at yet', at: '' },
      );
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      for (const one of followed.values()) end(one);
      await Promise.all(ending);
    },
  };
}

type Gate = <T>(act: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/** At most so many at once, the others in the order in which they came. */
function createGate(most: number): Gate {
  const waiting: (() => void)[] = [];
  let free = most;
  return async (act, signal) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      signal.throwIfAborted();
      return await act();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
