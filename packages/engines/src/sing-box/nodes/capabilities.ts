import {
  capabilityRules,
  capabilityTable,
  lacking,
  type CapabilityKind,
  type CompleteRule,
} from './capability-table.ts';
import { profileOf, type EngineTarget } from '../profile.ts';
import { oldestLine } from '../supported-lines.ts';

/** One protocol, transport, plugin or feature, and what an engine must be to have it. */
export interface Capability {
  readonly engine: EngineTarget['engine'];
  readonly kind: CapabilityKind;
  readonly name: string;
  /** First version that has it, of those that are supported; undefined: none has. */
  readonly since?: string;
  /** Build tags that it needs. */
  readonly tags: readonly string[];
  /** Where it is lacking, nodes run without it. Otherwise they are left out. */
  readonly optional: boolean;
}

/** The same for one engine: yes, or the words in which nodes with it are left out. */
export interface TargetCapability extends Capability {
  readonly available: boolean;
  readonly reason?: string;
}

/** Everything that is known of an engine: one row for each, in the order of the table. */
export function capabilities(): readonly Capability[];
/** @throws ProblemError `engine.too-old`, `engine.unsupported` */
export function capabilities(target: EngineTarget): readonly TargetCapability[];
export function capabilities(target?: EngineTarget): readonly (Capability | TargetCapability)[] {
  const profile = target && profileOf(target);
  return capabilityRules.map((rule) => {
    const row = rowOf(rule);
    if (profile === undefined) return row;
    const reason = lacking(rule.kind, rule.name, profile);
    return { ...row, available: reason === undefined, ...(reason === undefined ? {} : { reason }) };
  });
}

const rowOf = ({ kind, name, since, tags = [], never, optional }: CompleteRule): Capability => ({
  engine: 'sing-box',
  kind,
  name,
  ...(never === true ? {} : { since: since === undefined ? oldestLine : `1.${since}` }),
  tags,
  optional: optional === true,
});

const kindTitles: Readonly<Record<CapabilityKind, string>> = {
  protocol: 'Protocols',
  transport: 'V2Ray transports',
  plugin: 'Plugins of shadowsocks',
  feature: 'Features',
};

/** The rows as Markdown: a table for each kind. */
export function capabilitiesPage(): string {
  const cells = ({ engine, name, since = 'none', tags, optional }: Capability): string => {
    const needs = tags.map((tag) => `\`${tag}\``).join(', ');
    const without = optional ? 'the node runs without it' : 'the node is left out';
    return `| ${engine} | \`${name}\` | ${since} | ${needs} | ${without} |`;
  };
  const section = (kind: CapabilityKind): string[] => [
    `## ${kindTitles[kind]}`,
    '',
    '| engine | name | from version | build tags | where it is lacking |',
    '|---|---|---|---|---|',
    ...capabilities()
      .filter((row) => row.kind === kind)
      .map(cells),
    '',
  ];
  return [
    `The oldest sing-box that configs are written for is ${oldestLine}. Later versions than the newest known one are`,
    'written for like that one. A node that needs what an engine lacks is left out of its config and named with the',
    'reason; it is never changed into something else. `sing-box version` prints the build tags of a program.',
    '',
    'Each row is tried with real programs by the tests.',
    '',
    ...(Object.keys(capabilityTable) as CapabilityKind[]).flatMap(section),
  ].join('\n');
}
