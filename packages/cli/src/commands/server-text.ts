import { compareGenerations, printGeneration, type Generation } from '@sbox/core';
import { printNotes, statusNotes } from '@sbox/protocol';
import type { OperatorClient } from '../connection.ts';
import { printLabels } from './labels.ts';
import { age } from './remote.ts';

export type Server = Awaited<ReturnType<OperatorClient['servers']['get']>>;

/** What it is given, else what it has. */
export const engineOf = ({ engines, desired }: Server): string =>
  desired?.engine ? `sing-box ${desired.engine}` : engines.map(({ kind, version }) => `${kind} ${version}`).join(', ');

export const orderKey = (server: string, { epoch, generation }: Generation): string =>
  `${server} ${epoch}.${generation}`;
const isSame = (one: Generation, other: Generation): boolean => compareGenerations(one, other) === 0;

/** What serves there; a plain file has no name here. */
export function runsOf({ id, status }: Server, orders: ReadonlyMap<string, string>): string | null {
  const running = status?.running;
  if (!running) return null;
  return running.source === 'local'
    ? 'a file of its own'
    : (orders.get(orderKey(id, running)) ?? printGeneration(running));
}

export function isInSync({ desired, status }: Server): string | null {
  if (!desired) return null;
  const { committed, nack } = status ?? {};
  if (nack && isSame(nack, desired)) return 'refused';
  return committed && isSame(committed, desired) ? 'yes' : 'no';
}

/** The first thing that a person has to know of it: a refusal, a version to be confirmed, what is wrong. */
export function why({ status }: Server, nowMs: number): string {
  if (!status) return '';
  if (status.nack) return status.nack.message;
  const note = statusNotes(status, nowMs).find(({ about }) => about !== 'reload');
  return note?.text ?? status.units.find(({ message }) => message !== '')?.message ?? '';
}

/** The lines that matter; everything is in `-o yaml`. */
export function printServer(found: Server, nowMs: number): string {
  const { name, id, state, agent_version: agent, status, seen_at: seen, labels, environment } = found;
  const line = (about: string, text: string): string => `${about.padEnd(8)} ${text}`;
  const generation = (of: Generation | null | undefined): string => (of ? printGeneration(of) : 'nothing');
  return [
    line('server', `${name} (${id}), ${state}, seen ${seen === null ? 'never' : `${age(seen, nowMs)} ago`}`),
    ...(environment === null ? [] : [line('in', `environment ${environment}`)]),
    ...(Object.keys(labels).length === 0 ? [] : [line('labels', printLabels(labels))]),
    line('agent', `${agent ?? 'never joined'}${engineOf(found) === '' ? '' : `, ${engineOf(found)}`}`),
    line('desired', generation(found.desired)),
    line('runs', `${generation(status?.running)}${status?.running ? ` from ${status.running.source}` : ''}`),
    ...(status?.nack
      ? [
          line(
            'refused',
            `${printGeneration(status.nack)} at ${status.nack.stage}: ${status.nack.code}: ${status.nack.message}`,
          ),
        ]
      : []),
    ...(status ? printNotes(statusNotes(status, nowMs)) : []),
    ...(status?.units ?? []).map((unit) =>
      line(
        'unit',
        `${unit.name}: ${unit.state}, ${unit.listens.map(({ address }) => address).join(' ') || 'no inbound'}${unit.message === '' ? '' : `: ${unit.message}`}`,
      ),
    ),
  ].join('\n');
}
