import { isoTime, type Clock } from '@sbox/core';
import type { AgentStatus, Condition, Nack } from '@sbox/protocol';
import type { ReconcilerState } from '../order.ts';

type ConditionType = Condition['type'];

/** One fact before its `since` is known. */
export interface Fact {
  readonly type: ConditionType;
  readonly status: 'true' | 'false';
  readonly reason: string;
  readonly message: string;
}

export interface StatusFacts {
  readonly state: ReconcilerState;
  /** A manifest that was refused before the reconciler could see it. */
  readonly refusal: Nack | null;
  /** Undefined on a server that has no manager to reach. */
  readonly manager: { readonly isReachable: boolean; readonly reason: string } | undefined;
  readonly clockOffsetMs: number;
  readonly isClockSkewed: boolean;
  /** Why what runs is not what the manager wants, though it is there; null when nothing drifts. */
  readonly drift: string | null;
}

const fact = (type: ConditionType, isTrue: boolean, reason: string, message: string): Fact => ({
  type,
  status: isTrue ? 'true' : 'false',
  reason,
  message,
});

/** All conditions, in the order of the protocol; one that has nothing to tell is left out unless people look for it. */
export function factsOf({
  state,
  refusal,
  manager,
  clockOffsetMs,
  isClockSkewed,
  drift,
}: StatusFacts): readonly Fact[] {
  const nack = refusal ?? state.nack;
  const isRunning = state.running !== null && state.units.some(({ state: unit }) => servingStates.has(unit));
  const isReconciled =
    nack === null &&
    state.observed !== null &&
    state.running !== null &&
    state.observed.epoch === state.running.epoch &&
    state.observed.generation === state.running.generation;
  // A small write may still find room where an order did not.
  const diskProblem = state.disk_problem ?? (nack?.code === 'disk.full' ? nack.message : null);
  const { pressures = [] } = state;
  const lowDisk = pressures.find(({ type }) => type === 'DiskPressure');
  const broken = state.units.filter(({ state: unit }) =>
    ['degraded', 'backoff', 'crash-loop', 'failed'].includes(unit),
  );
  return [
    fact(
      'Ready',
      isRunning,
      isRunning ? 'running' : 'nothing-runs',
      isRunning ? 'a version is running' : 'no version is running',
    ),
    fact('Reconciled', isReconciled, nack?.code ?? (isReconciled ? 'reconciled' : 'pending'), nack?.message ?? ''),
    fact('Progressing', state.phase === 'progressing', state.phase, ''),
    fact(
      'Degraded',
      broken.length > 0,
      broken[0]?.state ?? 'healthy',
      broken.map(({ name, message }) => `${name}: ${message}`).join('; '),
    ),
    ...(manager
      ? [fact('ManagerReachable', manager.isReachable, manager.isReachable ? 'answers' : 'unreachable', manager.reason)]
      : []),
    fact('Drift', drift !== null, drift === null ? 'none' : 'local-config', drift ?? ''),
    fact(
      'ClockSkewed',
      isClockSkewed,
      isClockSkewed ? 'skewed' : 'in-time',
      isClockSkewed ? `${Math.round(clockOffsetMs / 1000)} s from the manager's clock` : '',
    ),
    fact(
      'DiskPressure',
      diskProblem !== null || lowDisk !== undefined,
      diskProblem === null ? (lowDisk?.reason ?? 'writable') : 'disk.full',
      diskProblem ?? lowDisk?.message ?? '',
    ),
    fact('Frozen', state.held !== null, state.held === null ? 'free' : 'held', state.held ?? ''),
    ...pressures
      .filter(({ type }) => type !== 'DiskPressure')
      .map(({ type, reason, message }) => fact(type, true, reason, message)),
    ...(state.uplink_down === null ? [] : [fact('UplinkDown', true, 'unreachable', state.uplink_down)]),
    ...(state.confirm === null ? [] : [fact('ConfirmPending', true, 'unconfirmed', `until ${state.confirm.until}`)]),
  ];
}

/** A unit that is degraded serves, but something that it should reach is not reached. */
const servingStates = new Set<string>(['running', 'watching', 'degraded']);

/** Remembers since when each condition is what it is. */
export function createConditions(clock: Clock): (facts: readonly Fact[]) => Condition[] {
  const since = new Map<ConditionType, { status: string; at: string }>();
  return (facts) =>
    facts.map((each) => {
      const known = since.get(each.type);
      const entry = known?.status === each.status ? known : { status: each.status, at: isoTime(clock.now()) };
      since.set(each.type, entry);
      return { ...each, since: entry.at };
    });
}

/** What changes in a status only because time passes is no news. */
export const newsOf = ({ seq: _seq, sent_at: _sentAt, units, ...rest }: AgentStatus): string =>
  JSON.stringify({ ...rest, units: units.map(newsOfUnit) });

const newsOfUnit = ({ rss_bytes: _rss, open_files: _files, probes = [], ...rest }: AgentStatus['units'][number]) => ({
  ...rest,
  probes: probes.map(({ id, up }) => ({ id, up })),
});

/** The part whose change must not wait: whether a version was taken, refused or went wrong. */
export const verdictOf = ({ phase, nack, running, committed }: AgentStatus): string =>
  JSON.stringify([phase, nack, running, committed]);
