import { ProblemError } from '@sbox/core';
import type { Group } from '@sbox/engines/sing-box/render';
import type { Node } from '@sbox/formats';
import type { PipedNode, PipelineSource } from '../piped-node.ts';
import { runPipeline, type PipelineResult } from '../run-pipeline.ts';
import { validatePipeline } from '../validate-pipeline.ts';

/**
 * A golden case: a line `== title`, nodes, a line `--`, operators as JSON (one a line), a line `--`, what comes of it.
 * A node is `NAME = PROTOCOL HOST:PORT`, then `@SUBSCRIPTION` and more fields as JSON where they matter; its id is `n_`
 * and its place. A line `? HOST ADDRESS` is what a look-up finds.
 */
export interface OperatorCase {
  readonly title: string;
  readonly nodes: string;
  readonly operators: string;
  readonly expected: string;
}

export function readOperatorCases(text: string): OperatorCase[] {
  return text
    .split(/^== /m)
    .slice(1)
    .map((block) => {
      const newline = block.indexOf('\n');
      const [nodes = '', operators = '', expected = ''] = block
        .slice(newline + 1)
        .split(/^--\n/m)
        .map((part) => part.trimEnd());
      return { title: block.slice(0, newline), nodes, operators, expected };
    });
}

const nodeLine = /^(.*?) = ([a-z0-9-]+) (\S+):(\d+)(?: @(\S+))?(?: (\{.*\}))?$/;

interface CaseInput {
  readonly sources: readonly PipelineSource[];
  readonly addresses: ReadonlyMap<string, readonly string[]>;
}

function readInput(text: string): CaseInput {
  const nodes: { readonly subscription: string; readonly node: Node }[] = [];
  const addresses = new Map<string, readonly string[]>();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    if (line.startsWith('? ')) {
      const [host = '', ...found] = line.slice(2).split(' ');
      addresses.set(host, found);
      continue;
    }
    const [, tag = '', type = '', server = '', port = '', subscription = 'main', fields = '{}'] =
      nodeLine.exec(line) ?? [];
    if (tag === '') throw new Error(`not a node: ${line}`);
    const node = { id: `n_${nodes.length + 1}`, type, server, server_port: Number(port), tag };
    nodes.push({ subscription, node: { ...node, ...(JSON.parse(fields) as object) } as Node });
  }
  const parts = Map.groupBy(nodes, ({ subscription }) => subscription);
  return {
    sources: [...parts].map(([subscription, list]) => ({ subscription, nodes: list.map(({ node }) => node) })),
    addresses,
  };
}

/** What comes of a case, as it stands in its file. */
export function runOperatorCase({ nodes, operators }: OperatorCase): string {
  const { sources, addresses } = readInput(nodes);
  try {
    const pipeline = validatePipeline(
      operators
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as unknown),
    );
    return printResult(runPipeline(sources, pipeline, { addresses }));
  } catch (error) {
    if (error instanceof ProblemError) return `! ${error.message}`;
    throw error;
  }
}

const marks = { dropped: '-', changed: '~', added: '+' } as const;

function printResult({ nodes, groups, trace, read }: PipelineResult): string {
  const names = new Map(nodes.map(({ node }) => [node.id, node.tag]));
  return [
    ...nodes.map((piped) =>
      printNode(
        piped,
        read.find(({ node }) => node.id === piped.node.id),
      ),
    ),
    ...groups.map((group) => printGroup(group, names)),
    ...trace.flatMap(({ effects }) => effects.map(({ kind, tag, what }) => `${marks[kind]} ${tag}: ${what}`)),
  ].join('\n');
}

/** The name, then what else is not as it was. */
function printNode({ node, labels, country }: PipedNode, before: PipedNode | undefined): string {
  const fields = Object.entries(node).filter(
    ([name, value]) => name !== 'tag' && JSON.stringify(value) !== JSON.stringify(before?.node[name as keyof Node]),
  );
  const gone = Object.keys(before?.node ?? {}).filter((name) => !(name in node));
  return [
    `= ${node.tag}`,
    ...(fields.length > 0 ? [JSON.stringify(Object.fromEntries(fields))] : []),
    ...gone.map((name) => `without ${name}`),
    ...(labels.length > 0 ? [`[${labels.join(', ')}]`] : []),
    ...(country === before?.country ? [] : [`in ${country ?? 'no country'}`]),
  ].join(' ');
}

function printGroup(group: Group, names: ReadonlyMap<string, string>): string {
  const members = group.members.map((member) => {
    if ('node' in member) return names.get(member.node) ?? '?';
    return 'group' in member ? `group ${member.group}` : `engine's ${member.builtin}`;
  });
  const { tag, type, members: _, ...rest } = group;
  return `group ${tag} (${type}): ${members.join(', ') || 'nobody'} ${JSON.stringify(rest)}`;
}
