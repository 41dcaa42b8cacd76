import { ProblemError } from '@sbox/core';
import { validatePipeline } from '@sbox/pipeline';
import type { OperatorOf, Pipeline } from '@sbox/protocol/pipeline';
import type { Call, Host } from '../command.ts';
import { counted } from '../counted.ts';
import { isRecord } from './document-file.ts';
import { pathOf, readState, writeState } from './state-file.ts';

/** What a node is known by. */
export const exclusionKinds = ['id', 'name', 'host', 'pattern'] as const;
export type ExclusionKind = (typeof exclusionKinds)[number];

/** A node, or nodes, that are not wanted. */
export interface Exclusion {
  readonly kind: ExclusionKind;
  readonly value: string;
  /** For an id: the name that the node had. */
  readonly tag?: string;
  readonly reason?: string;
  readonly added_at: string;
}

const stateFile = { variable: 'SBOXMGR_EXCLUSION_FILE', name: 'sbox-exclusions.json' };
const maxExclusions = 10_000;

export interface ExclusionList {
  readonly file: string;
  readonly exclusions: readonly Exclusion[];
}

/** @throws ProblemError `file.unreadable` */
export async function readExclusions(host: Host, named?: string): Promise<ExclusionList> {
  const file = await pathOf(stateFile, host, named);
  const { exclusions = [] } = await readState(file);
  const list = Array.isArray(exclusions) ? exclusions.map(readExclusion) : [undefined];
  if (!list.every((one) => one !== undefined))
    throw new ProblemError('file.unreadable', `${file}: "exclusions" is no list of exclusions`);
  return { file, exclusions: list };
}

function readExclusion(item: unknown): Exclusion | undefined {
  if (!isRecord(item)) return undefined;
  const { kind, value, name, tag, reason, added_at } = item;
  const known = exclusionKinds.find((one) => one === kind);
  const more = {
    ...(typeof tag === 'string' ? { tag } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
    added_at: typeof added_at === 'string' ? added_at : '',
  };
  // The older program kept ids that were made of other things than ours; what it called the node is all that helps.
  if (kind === undefined && typeof name === 'string') return { kind: 'name', value: name, ...more };
  return known === undefined || typeof value !== 'string' ? undefined : { kind: known, value, ...more };
}

/** @throws ProblemError `pipeline.invalid` for a pattern that cannot be used */
export async function writeExclusions({ file, exclusions }: ExclusionList): Promise<void> {
  if (exclusions.length > maxExclusions)
    throw new ProblemError('command.usage', `there would be more than ${maxExclusions} exclusions`);
  if (exclusions.length > 0) validatePipeline([stepOf(exclusions)]);
  await writeState(file, { version: 1, exclusions });
}

/** The list as an operator; nothing when it is empty. */
export async function exclusionStep({ host, out }: Call, named?: string): Promise<Pipeline> {
  const { file, exclusions } = await readExclusions(host, named);
  if (named !== undefined || exclusions.length > 0) out.talk(`${counted(exclusions.length, 'exclusion')} of ${file}`);
  return exclusions.length === 0 ? [] : [stepOf(exclusions)];
}

const fields: Readonly<Record<ExclusionKind, 'ids' | 'names' | 'hosts' | 'patterns'>> = {
  id: 'ids',
  name: 'names',
  host: 'hosts',
  pattern: 'patterns',
};

export function stepOf(exclusions: readonly Exclusion[]): OperatorOf<'exclude'> {
  const lists = exclusionKinds.flatMap((kind) => {
    const values = exclusions.filter((one) => one.kind === kind).map(({ value }) => value);
    return values.length === 0 ? [] : [[fields[kind], values] as const];
  });
  return { operator: 'exclude', note: 'the list of exclusions', ...Object.fromEntries(lists) };
}
