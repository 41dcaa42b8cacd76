import type { Clock } from '@sbox/core';
import type { ControlApi } from '../engines/control-api.ts';
import type { ProcessRecords } from '../state/process-records.ts';
import type { LiveSlot, Slots } from '../state/slots.ts';
import { laneOf } from '../state/slots.ts';
import { adopt, type EngineProcess, type ProcessDeps } from '../supervisor/engine-process.ts';
import { findProcessesWith } from '../supervisor/find-processes.ts';
import { portsNotHeld } from '../supervisor/ports.ts';
import type { Instance } from './drain.ts';

export interface FoundEngines {
  /** Undefined when none can be trusted. */
  readonly serving: Instance | undefined;
  readonly draining: readonly (Instance & { readonly until: number })[];
  /** Candidates that never served, and what answers to no slot. */
  readonly others: readonly { readonly process: EngineProcess }[];
}

export interface EngineSearch {
  readonly unit: string;
  /** All engines of the unit run with a file below it. */
  readonly directory: string;
  /** What may serve, best first. */
  readonly candidates: readonly LiveSlot[];
  /** What the link says: who serves, where several could. */
  readonly current: string | undefined;
  /** How long an engine that is just starting may take to answer. */
  readonly timeoutMs: number;
}

export interface FindDeps extends ProcessDeps {
  readonly clock: Clock;
  readonly control: ControlApi;
  readonly slots: Slots;
  readonly records: ProcessRecords;
}

interface Known extends Instance {
  readonly until: number | undefined;
}

/** Which engines of a unit run, which of them serves, and which drain, after an agent that may have been killed anywhere. */
export async function findEngines(deps: FindDeps, search: EngineSearch): Promise<FoundEngines> {
  const { proc, clock, slots, records } = deps;
  const { unit, candidates, current } = search;
  const identities = findProcessesWith(proc, search.directory);
  if (identities.length === 0) return { serving: undefined, draining: [], others: [] };
  const record = await records.read(unit).catch(() => undefined);
  const names = new Set(candidates.map(({ name }) => name));
  const known = [...candidates, ...(await slots.all(unit)).filter(({ name }) => !names.has(name))];
  // Slots that an engine was only told of have one control API: the link says which of them it was told of last.
  const all = [...known.filter(({ name }) => name === current), ...known.filter(({ name }) => name !== current)];
  const deadline = clock.monotonic() + search.timeoutMs;
  const found = await Promise.all(
    identities.map(async (identity) => {
      const isKnown = record?.starttime === identity.starttime && record.boot_id === identity.boot_id;
      const process = adopt(deps, identity, isKnown ? record.started_at : clock.now());
      const slot = await findAnswering(deps, process, all, deadline);
      if (slot === undefined) return { process };
      const isLinked = proc.argumentsOf(identity.pid).includes(slots.laneFile(unit, laneOf(slot)));
      const until = await slots.drainsUntil(unit, slot.name).catch(() => undefined);
      return { process, slot, isLinked, logStart: 0, until } satisfies Known;
    }),
  );
  const answering = found.filter((one): one is Known => 'slot' in one);
  const serving = chooseServing(answering, candidates, current);
  const draining = answering.filter((one) => one !== serving && one.until !== undefined);
  const others = found.filter((one) => one !== serving && !draining.includes(one as Known));
  return { serving, draining: draining.map((one) => ({ ...one, until: one.until ?? 0 })), others };
}

/** An engine that went with the machine leaves its mark behind, and a slot that is marked is never removed. */
export async function unmark(slots: Slots, unit: string, draining: readonly Instance[]): Promise<void> {
  const names = new Set(draining.map(({ slot }) => slot.name));
  for (const { name } of await slots.all(unit)) {
    if (names.has(name) || (await slots.drainsUntil(unit, name)) === undefined) continue;
    // It is only about room.
    await slots.drain(unit, name, undefined).catch(() => {});
  }
}

/** The link is written before connections are moved, so that it is right whenever there is a choice. */
function chooseServing(
  known: readonly Known[],
  candidates: readonly LiveSlot[],
  current: string | undefined,
): Known | undefined {
  const order = [current, ...candidates.filter(({ name }) => name !== current).map(({ name }) => name)];
  const isCandidate = (name: string): boolean => candidates.some((slot) => slot.name === name);
  const ranked = order.flatMap((name) => known.filter(({ slot }) => slot.name === name && isCandidate(slot.name)));
  return ranked.find(({ slot, until }) => slot.name === current || until === undefined) ?? ranked[0];
}

/** It may be starting just now, so that the first answer can take a while. */
async function findAnswering(
  { clock, control, proc }: FindDeps,
  process: EngineProcess,
  slots: readonly LiveSlot[],
  deadline: number,
): Promise<LiveSlot | undefined> {
  const { pid } = process.identity;
  // An engine has the address of one slot, and in it the secret of one: others are not worth asking.
  do {
    for (const slot of slots) {
      if (portsNotHeld(proc, pid, slot.report.listens).length > 0) continue;
      if ((await control.ask(slot.control)) === 'ours' && holdsControl(proc, pid, slot)) return slot;
    }
    await clock.sleep(50);
  } while (process.isAlive && clock.monotonic() < deadline);
  return undefined;
}

/** Two engines of a unit may listen on the same ports; the control API is one's own. */
function holdsControl(proc: FindDeps['proc'], pid: number, { control }: LiveSlot): boolean {
  const port = Number(new URL(`http://${control.address}`).port);
  return portsNotHeld(proc, pid, [{ tag: '', path: '', listen: '', network: 'tcp', listen_port: port }]).length === 0;
}
