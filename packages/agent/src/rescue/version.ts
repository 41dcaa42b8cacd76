import { compareGenerations, isoTime, printGeneration } from '@sbox/core';
import type { JournalRecord, JournalUnit, JournalVersion } from '../state/journal.ts';
import { inspectSlots, inspectState, type InspectedState } from '../state/inspect.ts';
import { createSlots, type LiveSlot } from '../state/slots.ts';
import { openStore } from '../state/store.ts';
import type { Repair, RescueScene, Step } from './step.ts';

/** What boots is the newest version that can be started: the journal is told when that is an older one. */
export const version: Repair = {
  name: 'version',
  find: async (rescue) => {
    const state = await inspectState(rescue.disk, rescue.scene.stateDir);
    const good = state.versions.filter(({ isCommitted }) => isCommitted);
    const start = good.findIndex(({ broken }) => broken.length === 0);
    if (start === 0) return [];
    if (start > 0) return goBack(rescue, good.slice(0, start + 1));
    return await takeFromSlots(rescue, state);
  },
};

function goBack(rescue: RescueScene, [newest, ...older]: InspectedState['versions']): Step[] {
  const dropped = [newest, ...older.slice(0, -1)].filter((each) => each !== undefined);
  const target = older.at(-1)?.version;
  if (target === undefined) return [];
  const why = dropped.flatMap(({ broken }) => broken).join('; ');
  const act = async (): Promise<void> => {
    const store = await openStore(rescue.disk, rescue.scene.stateDir);
    for (const { version: each } of dropped) {
      const message = `its files are damaged: ${why}`.slice(0, 2048);
      await store.journal.append(recordOf(rescue, 'ROLLEDBACK', each, { code: 'apply.rolled-back', message }));
    }
    for (const { name, slot } of target.units) if (slot !== null) await store.slots.point(name, 'lkg', slot);
  };
  return [
    {
      what: `go back to ${printGeneration(target)}, which is whole, from ${printGeneration(dropped[0]!.version)} (${why})`,
      act,
    },
  ];
}

const recordOf = (
  { scene }: RescueScene,
  step: JournalRecord['step'],
  each: JournalVersion,
  why: { code: string; message: string } | undefined,
): JournalRecord => ({
  epoch: each.epoch,
  generation: each.generation,
  source: each.source,
  units: each.units,
  step,
  at: isoTime(scene.clock.now()),
  code: why?.code ?? null,
  message: why?.message ?? null,
});

/** The journal knows nothing that could be started: the slots are asked. */
async function takeFromSlots(rescue: RescueScene, state: InspectedState): Promise<Step[]> {
  const { disk, scene } = rescue;
  const whole = (await inspectSlots(disk, scene.stateDir)).filter(({ broken }) => broken.length === 0);
  const marks = new Map(state.marked.map(({ slot }) => [slot.unit.name, slot.name]));
  const units = [...new Set(whole.map(({ slot }) => slot.unit.name))];
  const best = units.flatMap((unit) => {
    const own = whole.map(({ slot }) => slot).filter((slot) => slot.unit.name === unit);
    // What was marked as good was proved; of the others those that let a request through in their trial.
    const proved = own.filter((slot) => slot.name === marks.get(unit));
    const tried = own.filter(({ isTried }) => isTried);
    const choice = [proved, tried, own].find((some) => some.length > 0) ?? [];
    return choice.toSorted(compareGenerations).slice(-1);
  });
  const newest = best.toSorted(compareGenerations).at(-1);
  if (newest === undefined) {
    const hasRun = state.journal.records.length > 0 || state.accepted !== undefined;
    return hasRun
      ? [
          {
            what: 'no version is left that could be started: bring one (sboxagent import FILE), or wait for the manager',
          },
        ]
      : [];
  }
  const isCandidate = state.versions.some(({ isCommitted, broken }) => !isCommitted && broken.length === 0);
  // What had taken over and was not committed yet is started by the agent as it is.
  if (isCandidate) return [];
  const act = async (): Promise<void> => await adoptSlots(rescue, newest, best);
  const names = best.map(({ unit }) => unit.name).join(', ');
  return [{ what: `take ${printGeneration(newest)} as the last good version: its slots are whole (${names})`, act }];
}

async function adoptSlots(rescue: RescueScene, newest: LiveSlot, best: readonly LiveSlot[]): Promise<void> {
  const { disk, scene } = rescue;
  const slots = createSlots(disk, scene.stateDir);
  for (const { unit, name } of best) await slots.point(unit.name, 'lkg', name);
  const { epoch, generation } = newest;
  const units = best.map((slot): JournalUnit => ({
    name: slot.unit.name,
    digest: slot.unit.config.digest,
    overlay: slot.report.digest,
    slot: slot.name,
    config_id: slot.unit.config.config_id,
    version: slot.unit.config.version,
  }));
  // Files of this machine have the generation 0.
  const source = generation === 0 ? 'local' : 'manager';
  const { journal: open } = await openStore(disk, scene.stateDir);
  await open.append(recordOf(rescue, 'HEALTHY', { epoch, generation, source, units }, undefined));
}
