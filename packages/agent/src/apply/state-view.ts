import { isoTime } from '@sbox/core';
import { probeTag } from '@sbox/engines/sing-box/run';
import type { UnitStatus } from '@sbox/protocol';
import type { ReconcilerState } from '../order.ts';
import { findDown } from '../probe/probe-state.ts';
import type { JournalVersion } from '../state/journal.ts';
import { describeDraining } from '../reload/drain.ts';
import { servedBy } from '../state/slots.ts';
import type { SupervisedUnit } from '../supervisor/unit.ts';
import type { ApplyContext } from './context.ts';
import { goodOf, type ApplyState } from './decide/apply-state.ts';
import { generationOf } from './decide/version.ts';

/** What others may see of applying and supervising. */
export function describeState(ctx: ApplyContext, state: ApplyState): Omit<ReconcilerState, 'disk_problem'> {
  const { observed, nack, held, unsupported } = state;
  const watched = state.watched?.version;
  const good = goodOf(state);
  const serving = watched ?? good;
  const units = ctx
    .units()
    .filter(({ slot }) => slot !== undefined)
    .map((unit) => describeUnit(ctx, unit, watched));
  return {
    phase: phaseOf(state, units, serving),
    observed,
    observed_server_id: state.accepted?.manifest.server_id ?? null,
    running: serving === null ? null : runningOf(serving),
    committed: good === null ? null : generationOf(good),
    units,
    nack,
    held: held?.reason ?? null,
    confirm: confirmOf(state),
    unsupported,
    uplink_down: ctx.uplink.down?.detail ?? null,
    pressures: ctx.budgets.pressures,
  };
}

const confirmOf = ({ watched }: ApplyState): ReconcilerState['confirm'] =>
  watched?.confirm ? { ...generationOf(watched.version), until: watched.confirm.until } : null;

/** Changes exactly when that changes which others see of the decisions; units tell of themselves. */
export const visibleOf = (state: ApplyState): string => {
  const { observed, watched, nack, held, unsupported } = state;
  const serving = watched?.version ?? null;
  const facts = [
    observed,
    state.accepted?.manifest.server_id,
    serving,
    confirmOf(state),
    nack,
    held?.reason,
    isBusy(state),
    unsupported,
  ];
  return JSON.stringify([...facts, goodOf(state)]);
};

const runningOf = ({ epoch, generation, source, units }: JournalVersion): ReconcilerState['running'] => ({
  epoch,
  generation,
  source,
  digest: units[0]?.digest ?? null,
});

/** From one version to another, whichever way. */
const isBusy = ({ isBooted, following, takenBack, rollback }: ApplyState): boolean =>
  !isBooted || following !== null || takenBack !== null || rollback !== null;

const broken = new Set<UnitStatus['state']>(['backoff', 'crash-loop', 'failed', 'degraded']);

function phaseOf(
  state: ApplyState,
  units: readonly UnitStatus[],
  serving: JournalVersion | null,
): ReconcilerState['phase'] {
  const { held, watched, nack } = state;
  if (isBusy(state)) return 'progressing';
  if (held !== null) return 'held';
  const isMissing = serving?.units.some(({ name }) => units.every((unit) => unit.name !== name)) === true;
  if (isMissing || units.some((unit) => broken.has(unit.state))) return 'degraded';
  if (watched !== null) return 'serving';
  if (nack !== null) return 'degraded';
  return serving === null || serving.units.length === 0 ? 'idle' : 'committed';
}

function describeUnit(ctx: ApplyContext, unit: SupervisedUnit, watched: JournalVersion | undefined): UnitStatus {
  const { process, slot, state } = unit;
  const isWatched = watched?.units.some(({ name, slot: own }) => name === unit.name && own === slot?.name) === true;
  const isAlive = process?.isAlive === true;
  const inbounds =
    (slot && servedBy(slot))?.filter(({ path, tag }) => path.startsWith('inbounds[') && tag !== probeTag) ?? [];
  const addresses = new Map(inbounds.map(({ tag, listen, listen_port }) => [tag, `${hostOf(listen)}:${listen_port}`]));
  const probes = ctx.probes.states(unit.name);
  const down = findDown(probes);
  const { rss_bytes = null, open_files = null } = ctx.budgets.usageOf(unit.name) ?? {};
  return {
    name: unit.name,
    state: state !== 'running' ? state : isWatched ? 'watching' : down === undefined ? state : 'degraded',
    pid: isAlive ? process.identity.pid : null,
    digest: slot?.unit.config.digest ?? null,
    started_at: isAlive ? isoTime(process.startedAt) : null,
    restarts: unit.restarts,
    listens: [...addresses].map(([tag, address]) => ({ tag, address })),
    probe: unit.probe ?? null,
    reload: unit.lastReload ?? null,
    draining: describeDraining(unit.draining),
    probes: [...probes],
    rss_bytes,
    open_files,
    message: unit.message || (down && `probe ${down.id}: ${down.detail}`) || (slot?.isTried === false ? untried : ''),
  };
}

const untried = 'taken over without a trial: no request could prove it beside the running one';

const hostOf = (listen: string): string => (listen.includes(':') ? `[${listen}]` : listen);
