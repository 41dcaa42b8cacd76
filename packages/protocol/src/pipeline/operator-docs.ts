import type { Operator, OperatorName } from './operators.ts';

export interface OperatorDoc {
  /** One sentence. */
  readonly summary: string;
  /** What a user should know beside the table of fields. */
  readonly text: string;
  /** How it is usually written. */
  readonly examples: readonly Operator[];
}

/** What docs pages and `sboxmgr` say about each operator, in the order of the docs. */
export const operatorDocs: Readonly<Record<OperatorName, OperatorDoc>> = {
  filter: {
    summary: 'Keeps or drops nodes by a query.',
    text: 'With both fields, `keep` goes first. A filter with neither is refused.',
    examples: [
      { operator: 'filter', keep: { country: ['DE', 'NL'] } },
      { operator: 'filter', drop: { name: '(?i)premium|x[2-9]' } },
      { operator: 'filter', keep: { expression: 'country in (DE, NL) and not name ~ "x2" and port == 443' } },
    ],
  },
  exclude: {
    summary: 'Drops the nodes on a list, or those that nobody wants.',
    text: 'An id survives every new name that a provider gives; a name does not.',
    examples: [
      { operator: 'exclude', preset: 'useless' },
      { operator: 'exclude', ids: ['n_0123456789abcdef'], hosts: ['*.example.com', '203.0.113.0/24'] },
    ],
  },
  rename: {
    summary: 'Changes names, by regular expressions or by a template.',
    text:
      'The parts are done in this order: `delete`, `replace`, `template`, `prefix` and `suffix`, `normalise`. A name ' +
      'that would be empty stays as it was. Groups and ids do not depend on names.',
    examples: [
      { operator: 'rename', replace: [{ pattern: '(?i)hong ?kong', with: 'HK' }] },
      { operator: 'rename', template: '{flag} {country_name} {country_index:2}' },
    ],
  },
  dedupe: {
    summary: 'Drops or numbers nodes that are the same.',
    text:
      'Names are made unique at the end of every pipeline, and the same node is never there twice; this operator is ' +
      'for a choice of your own.',
    examples: [
      { operator: 'dedupe', by: 'endpoint' },
      { operator: 'dedupe', by: 'name', action: 'rename', link: '-' },
    ],
  },
  sort: {
    summary: 'Puts nodes in order.',
    text: 'Equal nodes keep their order. Nodes without a country come last.',
    examples: [
      { operator: 'sort', by: ['country', 'name'] },
      { operator: 'sort', first: [{ name: '(?i)iplc' }, { country: 'DE' }], by: 'name' },
    ],
  },
  country: {
    summary: 'Adds or removes flags, and says where a node is.',
    text:
      'The country of every node is known without this operator: from a flag in its name, else from the longest country ' +
      'or city in English, Russian or Chinese, or a code as a word of its own.',
    examples: [
      { operator: 'country', flag: 'replace', taiwan: 'tw' },
      { operator: 'country', match: { host: '*.de.example.com' }, set: 'DE' },
    ],
  },
  set: {
    summary: 'Sets fields of nodes.',
    text: 'A field is set only where a node can have it; the others are left as they are. The id never changes.',
    examples: [
      { operator: 'set', match: { security: 'tls' }, fingerprint: 'chrome' },
      { operator: 'set', tcp_fast_open: true, udp: true },
    ],
  },
  resolve: {
    summary: 'Puts addresses in place of host names.',
    text:
      'The names are looked up before the pipeline runs. Of several addresses always the same one is taken, in whatever ' +
      'order they come, so that a config changes only when they do. What the server is asked for in TLS and in the Host ' +
      'header stays the name.',
    examples: [{ operator: 'resolve', family: 'ipv4', on_failure: 'drop' }],
  },
  limit: {
    summary: 'Keeps the first nodes.',
    text: 'Nodes that `match` does not mean all stay.',
    examples: [{ operator: 'limit', count: 3, per: 'country' }],
  },
  sample: {
    summary: 'Keeps some nodes, chosen by lot.',
    text: 'The lot of a node depends on its id and the seed alone: other nodes that come and go change little.',
    examples: [{ operator: 'sample', count: 50, seed: 'monday' }],
  },
  tag: {
    summary: 'Gives nodes labels, which later queries can ask for.',
    text: 'Labels are ours; they are not written into the config.',
    examples: [
      { operator: 'tag', match: { subscription: 'work' }, labels: ['work'] },
      { operator: 'tag', from: ['country', 'subscription'] },
    ],
  },
  group: {
    summary: 'Makes a group that chooses among nodes.',
    text:
      'Wherever it stands, its members are sought among the nodes that are left at the end. Members are known by id, so ' +
      'no new name changes a group. A group that `each` makes gets a number when its name is taken. sing-box has no ' +
      '`fallback` and `load-balance`: it gets `urltest` and a warning.',
    examples: [
      { operator: 'group', tag: 'germany', type: 'urltest', match: { country: 'DE' }, empty: 'direct' },
      { operator: 'group', tag: 'all', type: 'selector', match: {}, groups: ['germany'] },
      { operator: 'group', tag: '{flag} {value}', type: 'urltest', match: {}, each: 'country' },
      { operator: 'group', tag: 'countries', type: 'selector', groups: ['{flag} {value}', 'direct'] },
    ],
  },
  chain: {
    summary: 'Lets nodes be reached through another node.',
    text:
      'A node that would be reached through itself stays direct, as the first of a chain must; one that dials through ' +
      'another node already keeps that. When the node in between is dropped later, the nodes behind it are dropped too: ' +
      'they never go out directly.',
    examples: [{ operator: 'chain', match: { label: 'exit' }, through: { country: 'RU', label: 'entry' } }],
  },
};
