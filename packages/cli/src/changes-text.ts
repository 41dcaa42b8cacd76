import type { ConfigDiff } from '@sbox/engines/sing-box/render';

type ListDiff = Pick<ConfigDiff['rules'], 'added' | 'removed' | 'moved' | 'changed'>;
/** As the manager answers it, or as it is made here. */
export type Changes = Pick<
  ConfigDiff,
  'summary' | 'outbounds' | 'groups' | 'rules' | 'rule_sets' | 'dns' | 'inbounds' | 'other'
>;

interface Tagged {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly { readonly tag: string; readonly fields: readonly string[] }[];
}

const maxLines = 200;

/** What two configs mean differently, for people: the summary, then a line for each thing. */
export function changesLines(changes: Changes, text: (english: string) => string = String): string[] {
  const { summary, outbounds, groups, rules, rule_sets, dns, inbounds, other } = changes;
  const lines = [
    ...tagged('', outbounds),
    ...outbounds.renamed.map(({ from, to }) => `~ ${from} is now ${to}`),
    ...tagged('group ', { ...groups, changed: [] }),
    ...groups.changed.flatMap((group) => [
      ...tagged('group ', { added: [], removed: [], changed: [group] }),
      ...group.members_added.map((member) => `    + ${member} in ${group.tag}`),
      ...group.members_removed.map((member) => `    - ${member} in ${group.tag}`),
    ]),
    ...listed('rule', rules),
    ...tagged('rule-set ', rule_sets),
    ...tagged('DNS server ', dns.servers),
    ...listed('DNS rule', dns.rules),
    ...dns.fields.map((field) => `~ dns.${field}`),
    ...tagged('inbound ', inbounds),
    ...other.map((path) => `~ ${path}`),
  ];
  const more = lines.length - maxLines;
  return [summaryIn(summary, text), ...lines.slice(0, maxLines), ...(more > 0 ? [`and ${more} more`] : [])];
}

/** Its parts each; commas in brackets part words of one of them. */
const summaryIn = (summary: string, text: (english: string) => string): string =>
  text(summary) === summary
    ? summary
        .split(/, (?![^(]*\))/)
        .map((part) => text(part))
        .join(', ')
    : text(summary);

const tagged = (what: string, { added, removed, changed }: Tagged): string[] => [
  ...added.map((tag) => `+ ${what}${tag}`),
  ...removed.map((tag) => `- ${what}${tag}`),
  ...changed.map(({ tag, fields }) => `~ ${what}${tag}${fields.length === 0 ? '' : `: ${fields.join(', ')}`}`),
];

const listed = (what: string, { added, removed, moved, changed }: ListDiff): string[] => [
  ...added.map(({ index, text }) => `+ ${what} ${index}: ${text}`),
  ...removed.map(({ index, text }) => `- ${what} ${index}: ${text}`),
  ...moved.map(({ index, from, text }) => `~ ${what} ${from} is now ${index}: ${text}`),
  ...changed.map(({ index, text }) => `~ ${what} ${index}: ${text}`),
];

export const isSame = ({ summary }: Pick<Changes, 'summary'>): boolean => summary === 'no changes';
