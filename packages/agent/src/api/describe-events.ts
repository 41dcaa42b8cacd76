import type { AgentStatus, Condition, UnitStatus } from '@sbox/protocol';

export interface Described {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Everything that happened between two statuses of one agent, in the order in which it is told. Pure. */
export const describeEvents = (before: AgentStatus, now: AgentStatus): Described[] => [
  ...versionEvents(before, now),
  ...confirmEvents(before, now),
  ...conditionTable.flatMap((row) => conditionEvents(row, before, now)),
  ...now.units.flatMap((unit) =>
    unitEvents(
      before.units.find(({ name }) => name === unit.name),
      unit,
      before.sent_at,
    ),
  ),
];

const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) !== JSON.stringify(b ?? null);
const event = (type: string, data: Described['data']): Described => ({ type, data });

function versionEvents(before: AgentStatus, { running, committed, nack }: AgentStatus): Described[] {
  const found: Described[] = [];
  if (running && differs(running, before.running)) found.push(event('server.serving', running));
  if (committed && differs(committed, before.committed)) found.push(event('server.committed', committed));
  if (nack && differs(nack, before.nack)) {
    const { epoch, generation, code, message } = nack;
    found.push(event('server.refused', { epoch, generation, code, detail: message }));
  }
  return found;
}

/** A version that has to be confirmed: it waits, and then it stays or is taken back. */
function confirmEvents(before: AgentStatus, now: AgentStatus): Described[] {
  const [waited, waits] = [before.confirm ?? null, now.confirm ?? null];
  if (waits && waits.until !== waited?.until) return [event('confirm.pending', waits)];
  if (!waited || waits) return [];
  const { epoch, generation } = waited;
  // Plain configs have one generation, so that the content decides.
  const isKept = !differs(now.running, before.running) && now.nack?.code !== 'apply.unconfirmed';
  return [event(isKept ? 'confirm.done' : 'confirm.reverted', { epoch, generation })];
}

interface ConditionRow {
  readonly type: Condition['type'];
  readonly begins: string;
  readonly ends: string;
}

const conditionTable: readonly ConditionRow[] = [
  { type: 'Frozen', begins: 'server.held', ends: 'server.released' },
  { type: 'UplinkDown', begins: 'uplink.down', ends: 'uplink.up' },
  { type: 'DiskPressure', begins: 'disk.short', ends: 'disk.enough' },
  { type: 'MemoryPressure', begins: 'memory.short', ends: 'memory.enough' },
  { type: 'FdPressure', begins: 'files.short', ends: 'files.enough' },
];

function conditionEvents({ type, begins, ends }: ConditionRow, before: AgentStatus, now: AgentStatus): Described[] {
  const of = ({ conditions }: AgentStatus): Condition | undefined => conditions.find((each) => each.type === type);
  const [was, is] = [of(before)?.status === 'true', of(now)?.status === 'true'];
  if (was === is) return [];
  return [event(is ? begins : ends, { detail: of(now)?.message ?? '' })];
}

function unitEvents(before: UnitStatus | undefined, unit: UnitStatus, since: string): Described[] {
  const { name } = unit;
  const found: Described[] = [];
  if (unit.restarts > (before?.restarts ?? 0)) {
    const type = unit.message.includes('(OOM)') ? 'engine.oom' : 'engine.ended';
    found.push(event(type, { unit: name, restarts: unit.restarts, detail: unit.message }));
  }
  if (unit.state === 'crash-loop' && before?.state !== 'crash-loop') {
    found.push(event('engine.crash-loop', { unit: name, detail: unit.message }));
  }
  return [...found, ...reloadEvents(before, unit, since), ...probeEvents(before, unit)];
}

/** What an agent finds when it starts was told by the one before it. */
function reloadEvents(before: UnitStatus | undefined, now: UnitStatus, since: string): Described[] {
  const { name: unit, reload, draining = [] } = now;
  const was = before?.draining ?? [];
  const isDone = reload && reload.at !== before?.reload?.at && (before?.reload || reload.at >= since);
  const done = isDone ? [event('reload.done', doneOf(unit, reload))] : [];
  const begun = draining.filter(({ pid }) => before !== undefined && !was.some((other) => other.pid === pid));
  // One that serves again has not ended.
  const drained = was.filter(({ pid }) => pid !== now.pid && !draining.some((other) => other.pid === pid));
  return [
    ...done,
    ...begun.map(({ pid, connections, until }) => event('reload.draining', { unit, pid, connections, until })),
    ...drained.map(({ pid }) => event('reload.drained', { unit, pid })),
  ];
}

/** What it cost, and why nothing gentler was possible. */
const doneOf = (unit: string, reload: NonNullable<UnitStatus['reload']>): Described['data'] => {
  const { strategy, connections, will_end, message: detail, refused } = reload;
  return { unit, strategy, connections, will_end, detail, refused };
};

function probeEvents(before: UnitStatus | undefined, { name: unit, probes = [] }: UnitStatus): Described[] {
  return probes.flatMap(({ id, up, detail }) => {
    const was = before?.probes?.find((other) => other.id === id)?.up ?? null;
    if (up === null || up === was || (up && was === null)) return [];
    return [event(up ? 'probe.up' : 'probe.down', { unit, id, detail })];
  });
}
