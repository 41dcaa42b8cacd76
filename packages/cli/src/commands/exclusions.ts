import { ProblemError } from '@sbox/core';
import type { Node } from '@sbox/formats';
import { arg, flag, text, texts, type Call } from '../command.ts';
import {
  exclusionKinds,
  readExclusions,
  stepOf,
  writeExclusions,
  type Exclusion,
  type ExclusionKind,
} from '../local/exclusions.ts';
import { parseSource } from '../local/parse-source.ts';
import { readSource } from '../read-source.ts';

const listOf = async (call: Call) => await readExclusions(call.host, text(call, 'list'));

export const list = async (call: Call): Promise<void> => {
  const { file, exclusions } = await listOf(call);
  if (exclusions.length === 0) call.out.talk(`${file}: no exclusions. Add one: sboxmgr exclusion add NODE-ID`);
  await call.out.rows(
    exclusions,
    [
      { title: 'VALUE', value: ({ value }) => value },
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'NAME', value: ({ tag }) => tag },
      { title: 'WHY', value: ({ reason }) => reason },
      { title: 'ADDED', value: ({ added_at }) => added_at.slice(0, 10) },
    ],
    { file, exclusions },
  );
};

export const add = async (call: Call): Promise<void> => {
  const [known, nodes] = [await listOf(call), await nodesOf(call)];
  const reason = text(call, 'reason');
  const wanted = call.args.map((value): Exclusion => ({
    ...identify(value, call, nodes),
    ...(reason === undefined ? {} : { reason }),
    added_at: new Date(call.host.clock.now()).toISOString(),
  }));
  const fresh = wanted.filter((one) => !known.exclusions.some((other) => isLike(one, other)));
  await writeExclusions({ file: known.file, exclusions: [...known.exclusions, ...fresh] });
  call.out.talk(`${fresh.length} added, ${wanted.length - fresh.length} were there already: ${known.file}`);
};

export const remove = async (call: Call): Promise<void> => {
  const { file, exclusions } = await listOf(call);
  const wanted = new Set(call.args);
  const isWanted = ({ value, tag }: Exclusion): boolean => wanted.has(value) || (tag !== undefined && wanted.has(tag));
  const left = exclusions.filter((one) => !isWanted(one));
  if (left.length === exclusions.length)
    throw new ProblemError('node.not-found', `no exclusion is called ${call.args.join(' or ')}`, {
      fix: 'sboxmgr exclusion list',
    });
  await writeExclusions({ file, exclusions: left });
  call.out.talk(`${exclusions.length - left.length} removed: ${file}`);
};

export const clear = async (call: Call): Promise<void> => {
  const { file, exclusions } = await listOf(call);
  if (!flag(call, 'yes'))
    throw new ProblemError('command.usage', `this removes ${exclusions.length} exclusions of ${file}`, {
      fix: 'sboxmgr exclusion clear --yes',
    });
  await writeExclusions({ file, exclusions: [] });
  call.out.talk(`${exclusions.length} removed: ${file}`);
};

/** Which nodes of a source the list drops. */
export const test = async (call: Call): Promise<void> => {
  const { exclusions } = await listOf(call);
  const source = await readSource(arg(call, 0), call.host, { userAgent: text(call, 'userAgent') });
  const { nodes } = parseSource(source);
  const { runPipeline } = await import('@sbox/pipeline');
  const pipeline = exclusions.length === 0 ? [] : [stepOf(exclusions)];
  const { trace } = runPipeline([{ subscription: source.label, nodes }], pipeline, { maxEffects: nodes.length });
  const dropped = trace.filter(({ index }) => index === 0).flatMap(({ effects }) => effects);
  call.out.talk(`${dropped.length} of ${nodes.length} nodes would be dropped`);
  await call.out.rows(dropped, [
    { title: 'TAG', value: ({ tag }) => tag },
    { title: 'ID', value: ({ node_id }) => node_id },
    { title: 'WHY', value: ({ what }) => what },
  ]);
};

const isLike = (a: Exclusion, b: Exclusion): boolean => a.kind === b.kind && a.value === b.value;

/** Nodes of `--from`, by which names become ids. */
async function nodesOf(call: Call): Promise<readonly Node[]> {
  const nodes: Node[] = [];
  for (const from of texts(call, 'from')) {
    const source = await readSource(from, call.host, { userAgent: text(call, 'userAgent') });
    nodes.push(...parseSource(source).nodes);
  }
  return nodes;
}

function identify(value: string, call: Call, nodes: readonly Node[]): Pick<Exclusion, 'kind' | 'value' | 'tag'> {
  const by = text(call, 'by');
  const kind = exclusionKinds.find((known) => known === by);
  if (by !== undefined && kind === undefined)
    throw new ProblemError('command.usage', `--by is one of ${exclusionKinds.join(', ')}`);
  if (kind !== undefined && kind !== 'id') return { kind, value };
  const node = nodes.find(({ id, tag }) => id === value || tag === value);
  if (node) return { kind: 'id', value: node.id, tag: node.tag };
  if (texts(call, 'from').length > 0 && kind === undefined && !isId(value))
    throw new ProblemError('node.not-found', `${value} is none of ${nodes.length} nodes`, {
      fix: `See them: sboxmgr inspect ${texts(call, 'from')[0] ?? 'FILE'}   ·   by a pattern: --by pattern`,
    });
  return { kind: kind ?? guess(value), value };
}

const isId = (value: string): boolean => /^n_[0-9a-z]{16}$/.test(value);
/** A name that the provider may change is the weakest of all, and so the last. */
const guess = (value: string): ExclusionKind =>
  isId(value) ? 'id' : /^(?:\*\.)?[\w-]+(?:\.[\w-]+)+(?:\/\d+)?$/.test(value) ? 'host' : 'name';
