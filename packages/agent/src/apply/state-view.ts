import { isoTime } from '@sbox/core';
import { probeTag } from '@sbox/engines/sing-box/run';
import type { UnitStatus } from '@sbox/protocol';
import type { ReconcilerState } from '../order.ts';
import type { JournalVersion } from '../state/journal.ts';
import { replay } from '../state/journal-replay.ts';
import type { SupervisedUnit } from '../supervisor/unit.ts';
import type { ApplyContext } from './context.ts';

export interface LoopFacts {
  readonly observed: ReconcilerState['observed'];
  readonly watched: JournalVersion | undefined;
  readonly nack: ReconcilerState['nack'];
  readonly held: string | null;
  readonly isApplying: boolean;
}

/** What others may see of applying and supervising. */
export function describeState(ctx: ApplyContext, facts: LoopFacts): Omit<ReconcilerState, 'disk_problem'> {
  const { observed, watched, nack, held } = facts;
  const good = replay(ctx.store.journal.records).committed.at(-1)?.version;
  const serving = watched ?? good;
  const units = ctx
    .units()
    .filter(({ slot }) => slot !== undefined)
    .map((unit) => describeUnit(unit, watched));
  return {
    phase: phaseOf(facts, units, serving),
    observed,
    running: serving === undefined ? null : runningOf(serving),
    committed: good === undefined ? null : { epoch: good.epoch, generation: good.generation },
    units,
    nack,
    held,
  };
}

const runningOf = ({ epoch, generation, source, units }: JournalVersion): ReconcilerState['running'] => ({
  epoch,
  generation,
  source,
  digest: units[0]?.digest ?? null,
});

const broken = new Set<UnitStatus['state']>(['backoff', 'crash-loop', 'failed', 'degraded']);

function phaseOf(
  { held, isApplying, watched, nack }: LoopFacts,
  units: readonly UnitStatus[],
  serving: JournalVersion | undefined,
): ReconcilerState['phase'] {
  if (isApplying) return 'progressing';
  if (held !== null) return 'held';
  if (units.some(({ state }) => broken.has(state))) return 'degraded';
  if (watched !== undefined) return 'serving';
  if (nack !== null) return 'degraded';
  return serving === undefined || serving.units.length === 0 ? 'idle' : 'committed';
}

function describeUnit(unit: SupervisedUnit, watched: JournalVersion | undefined): UnitStatus {
  const { process, slot, state } = unit;
  const isWatched = watched?.units.some(({ name, slot: own }) => name === unit.name && own === slot?.name) === true;
  const isAlive = process?.isAlive === true;
  const inbounds =
    slot?.report.listens.filter(({ path, tag }) => path.startsWith('inbounds[') && tag !== probeTag) ?? [];
  const addresses = new Map(inbounds.map(({ tag, listen, listen_port }) => [tag, `${hostOf(listen)}:${listen_port}`]));
  return {
    name: unit.name,
    state: isWatched && state === 'running' ? 'watching' : state,
    pid: isAlive ? process.identity.pid : null,
    digest: slot?.unit.config.digest ?? null,
    started_at: isAlive ? isoTime(process.startedAt) : null,
    restarts: unit.restarts,
    listens: [...addresses].map(([tag, address]) => ({ tag, address })),
    probe: unit.probe ?? null,
    message: unit.message || (slot?.isTried === false ? untried : ''),
  };
}

const untried = 'taken over without a trial: no request could prove it beside the running one';

const hostOf = (listen: string): string => (listen.includes(':') ? `[${listen}]` : listen);
