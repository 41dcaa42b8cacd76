import type { ConfigDiff } from './config-diff.ts';
import type { ListDiff } from './diff-lists.ts';

interface SummaryOptions {
  readonly typeOf: (tag: string) => string;
  readonly describeNode: ((tag: string) => string | undefined) | undefined;
}

/** The engine's own outbounds, and the outer half of a node that is two outbounds. */
const notNodes = new Set(['direct', 'block', 'dns', 'shadowtls']);

/** `+3 nodes DE, 1 node renamed, −1 rule, DNS unchanged`; `no changes` when there are none. */
export function diffSummary(diff: Omit<ConfigDiff, 'summary'>, { typeOf, describeNode }: SummaryOptions): string {
  const { outbounds, groups, rules, rule_sets, dns, inbounds, other } = diff;
  const nodes = (tags: readonly string[]): string[] => tags.filter((tag) => !notNodes.has(typeOf(tag)));
  const signed = (sign: string, tags: readonly string[]): string[] => {
    const counted = nodes(tags);
    return counted.length === 0 ? [] : [`${sign}${count(counted.length, 'node')}${wordsOf(counted, describeNode)}`];
  };
  const isDnsSame = dns.fields.length + listSize(dns.rules) + taggedSize(dns.servers) === 0;
  const parts = [
    ...signed('+', outbounds.added),
    ...signed('−', outbounds.removed),
    ...some(nodes(outbounds.renamed.map(({ to }) => to)).length, 'node', 'renamed'),
    ...some(nodes(outbounds.changed.map(({ tag }) => tag)).length, 'node', 'changed'),
    ...taggedWords(groups, 'group'),
    ...listWords(rules, 'rule'),
    ...taggedWords(rule_sets, 'rule-set'),
    ...taggedWords(inbounds, 'inbound'),
    ...(isDnsSame ? [] : [`DNS changed${dnsWords(dns)}`]),
    ...some(other.length, 'other setting', 'changed'),
  ];
  if (parts.length === 0)
    return taggedSize(outbounds) === 0 ? 'no changes' : 'the engine’s own outbounds changed, DNS unchanged';
  return [...parts, ...(isDnsSame ? ['DNS unchanged'] : [])].join(', ');
}

const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
const some = (number: number, word: string, what: string): string[] =>
  number === 0 ? [] : [`${count(number, word)} ${what}`];

/** ` DE` when all are of one word, else ` (2 DE, 1 NL)`; nothing without words. */
function wordsOf(tags: readonly string[], describeNode: SummaryOptions['describeNode']): string {
  const words = Map.groupBy(tags, (tag) => describeNode?.(tag) ?? '');
  if (words.size === 1) {
    const [word = ''] = words.keys();
    return word === '' ? '' : ` ${word}`;
  }
  const counted = [...words].toSorted(([, a], [, b]) => b.length - a.length);
  return ` (${counted.map(([word, of]) => `${of.length} ${word || 'elsewhere'}`).join(', ')})`;
}

interface Tagged {
  readonly added: readonly unknown[];
  readonly removed: readonly unknown[];
  readonly changed: readonly unknown[];
}

const taggedSize = ({ added, removed, changed }: Tagged): number => added.length + removed.length + changed.length;
const listSize = (list: ListDiff): number => taggedSize(list) + list.moved.length;

const taggedWords = ({ added, removed, changed }: Tagged, word: string): string[] => [
  ...(added.length === 0 ? [] : [`+${count(added.length, word)}`]),
  ...(removed.length === 0 ? [] : [`−${count(removed.length, word)}`]),
  ...some(changed.length, word, 'changed'),
];

const listWords = (list: ListDiff, word: string): string[] => [
  ...taggedWords(list, word),
  ...some(list.moved.length, word, 'moved'),
];

function dnsWords({ servers, rules }: ConfigDiff['dns']): string {
  const words = [...taggedWords(servers, 'server'), ...listWords(rules, 'rule')];
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}
