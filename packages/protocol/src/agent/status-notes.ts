import { printDuration, printGeneration } from '@sbox/core';
import type { DeepReadonly } from '../route.ts';
import type { AgentStatus } from './status.ts';

type Status = DeepReadonly<AgentStatus>;

/** One line for people, with a word in front that says what it is about. */
export interface StatusNote {
  readonly about: string;
  readonly text: string;
}

/** Conditions that are worth a line, and which of their states is. */
const telling: Readonly<Record<string, 'true' | 'false'>> = {
  ManagerReachable: 'false',
  Degraded: 'true',
  Drift: 'true',
  ClockSkewed: 'true',
  DiskPressure: 'true',
  MemoryPressure: 'true',
  FdPressure: 'true',
  UplinkDown: 'true',
};

/** What a person has to know of a status beside what runs: what waits for him, what is wrong, what a take-over cost. */
export const statusNotes = (status: Status, nowMs: number): StatusNote[] => [
  ...confirmNotes(status, nowMs),
  ...heldNotes(status),
  ...status.conditions
    .filter(({ type, status: is }) => telling[type] === is)
    .map(({ type, message }) => ({ about: 'note', text: message === '' ? type : `${type}: ${message}` })),
  ...(status.unsupported ?? []).map((place) => ({ about: 'ignored', text: `${place}: this agent does not know it` })),
  ...status.units.flatMap((unit) => unitNotes(unit, nowMs)),
];

const leftUntil = (until: string, nowMs: number): string => printDuration(Math.max(0, Date.parse(until) - nowMs));

function confirmNotes({ confirm, conditions }: Status, nowMs: number): StatusNote[] {
  if (!confirm) return [];
  // Only an agent with a manager says whether it answers.
  const hasManager = conditions.some(({ type }) => type === 'ManagerReachable');
  const left = leftUntil(confirm.until, nowMs);
  const unless = `unless it is confirmed${hasManager ? ', or the manager is still reached' : ''}`;
  return [{ about: 'confirm', text: `${printGeneration(confirm)} is taken back in ${left} ${unless}` }];
}

const heldNotes = ({ conditions }: Status): StatusNote[] =>
  conditions
    .filter(({ type, status }) => type === 'Frozen' && status === 'true')
    .map(({ message }) => ({
      about: 'held',
      text: `${message}: new orders wait; to take them again: sboxagent config release`,
    }));

const connectionsOf = (count: number | null): string =>
  count === null ? 'an unknown number of connections' : `${count} connection${count === 1 ? '' : 's'}`;

function unitNotes({ name, reload, draining = [], probes = [] }: Status['units'][number], nowMs: number): StatusNote[] {
  return [
    ...(reload ? [{ about: 'reload', text: `${name}: ${reload.strategy}: ${reload.message}` }] : []),
    // Where it cost nothing, nobody asks for something gentler.
    ...(reload && reload.will_end !== 0 ? reload.refused : []).map(({ strategy, why }) => ({
      about: 'reload',
      text: `${name}: no ${strategy}: ${why}`,
    })),
    ...draining.map(({ pid, connections, until }) => ({
      about: 'drains',
      text: `${name}: process ${pid} keeps ${connectionsOf(connections)}, for ${leftUntil(until, nowMs)} at most`,
    })),
    ...probes
      .filter(({ up }) => up === false)
      .map(({ id, detail }) => ({ about: 'probe', text: `${name}: ${id} fails: ${detail}` })),
  ];
}

export const printNotes = (notes: readonly StatusNote[]): string[] =>
  notes.map(({ about, text }) => `${about.padEnd(8)} ${text}`);
