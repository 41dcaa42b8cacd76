import type { spawn as nodeSpawn } from 'node:child_process';
import type { Clock } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Machine } from '../machine.ts';
import { createLook } from '../probe/look.ts';
import { createProbeSchedule, type ProbedUnit, type ProbeSchedule } from '../probe/probe-schedule.ts';
import { createUplink, type Uplink } from '../probe/uplink.ts';
import { createBudgets, type Budgets, type BudgetSettings } from '../supervisor/budgets.ts';
import { startLogCare } from '../supervisor/log-care.ts';
import type { SupervisedUnit } from '../supervisor/unit.ts';

export interface UpkeepDeps {
  readonly machine: Pick<Machine, 'proc' | 'probe' | 'diskFree'>;
  readonly stateDir: string;
  readonly spawn: typeof nodeSpawn;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly units: () => readonly SupervisedUnit[];
  /** Removes content that nothing refers to any more. */
  readonly collectGarbage: () => Promise<void>;
  readonly onChange: () => void;
  readonly settings: {
    readonly exec_probes: readonly string[];
    readonly log_every_ms: number;
    readonly budget: BudgetSettings;
  };
}

/** What goes on beside applying: nothing of it starts, stops or changes an engine. */
export interface Upkeep extends AsyncDisposable {
  readonly uplink: Uplink;
  readonly probes: ProbeSchedule;
  readonly budgets: Budgets;
  /** To be called when a unit changed: its probes follow it. */
  followUnits(): void;
  start(): void;
}

export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const { machine, clock, random, log, units, onChange, settings } = deps;
  const { proc, probe } = machine;
  const look = createLook({ probe, spawn: deps.spawn, kill: deps.kill, allowed: settings.exec_probes });
  const probes = createProbeSchedule({
    look,
    clock,
    random,
    onChange(unit, { id, up, detail }) {
      if (up === false) log.warn('A probe of a unit is down', { unit, probe: id, detail });
      else log.info('A probe of a unit is up', { unit, probe: id, detail });
      onChange();
    },
  });
  const budgets = createBudgets({
    proc,
    clock,
    onChange,
    settings: settings.budget,
    diskFree: async () => await machine.diskFree(deps.stateDir),
    engines: () => units().flatMap(({ name, pids }) => pids.map((pid) => ({ unit: name, pid }))),
    async makeRoom() {
      for (const { logFile } of units()) await logFile.prune(1);
      await deps.collectGarbage();
    },
  });
  let logCare: AsyncDisposable | undefined;
  return {
    uplink: createUplink({ probe, clock, onChange }),
    probes,
    budgets,
    followUnits: () => probes.follow(units().flatMap(probedUnit)),
    start() {
      const logs = () => units().map(({ logFile }) => logFile);
      if (settings.log_every_ms > 0) logCare ??= startLogCare({ clock, log, logs, everyMs: settings.log_every_ms });
    },
    async [Symbol.asyncDispose]() {
      await logCare?.[Symbol.asyncDispose]();
      await probes[Symbol.asyncDispose]();
    },
  };
}

/** Only what serves is looked at: one that is down is known to be down. */
function probedUnit(unit: SupervisedUnit): ProbedUnit[] {
  const { slot, state, name } = unit;
  const { probes = [] } = slot?.unit ?? {};
  if (slot === undefined || state !== 'running' || probes.length === 0) return [];
  return [{ name, version: slot.name, probes, way: () => unit.slot?.report.probe ?? null }];
}
