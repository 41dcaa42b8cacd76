import type { CommandRow, OptionRow } from '../command.ts';
import { engineOptions, nodeOptions, templateOptions, userAgentOption, whereOptions } from '../local/option-rows.ts';
import { ofProject, projectOption } from './bounds-options.ts';
import type * as engines from './engines.ts';
import type * as exclusions from './exclusions.ts';
import type * as policies from './policies.ts';
import type * as remotePolicies from './remote-policies.ts';
import type * as templates from './templates.ts';

const engine = (name: keyof typeof engines) => async () => (await import('./engines.ts'))[name];
const exclusion = (name: keyof typeof exclusions) => async () => (await import('./exclusions.ts'))[name];
const policy = (name: keyof typeof policies) => async () => (await import('./policies.ts'))[name];
const managed = (name: keyof typeof remotePolicies) => async () => (await import('./remote-policies.ts'))[name];
const template = (name: keyof typeof templates) => async () => (await import('./templates.ts'))[name];

const exclusionFile: OptionRow = {
  flags: '--list <file>',
  summary: 'the list',
  preset: 'SBOXMGR_EXCLUSION_FILE, else ./sbox-exclusions.json or the one in ~/.config/sbox',
};
const policyFile: OptionRow = {
  flags: '--list <file>',
  summary: 'which policies are on, and your own',
  preset: 'SBOXMGR_POLICY_FILE, else ./sbox-policies.json or the one in ~/.config/sbox',
};
const policyParts: readonly OptionRow[] = [
  { flags: '-f, --file <file>', summary: 'the policy as YAML or JSON; the options go over it' },
  { flags: '--expression <text>', summary: 'what has to be true, in CEL' },
  { flags: '--reason <text>', summary: 'what is wrong when it is not, for people' },
  { flags: '--description <text>', summary: 'more about it' },
  {
    flags: '--verdict <verdict>',
    summary: 'deny keeps versions from being published, warn is only said',
    preset: 'deny',
  },
  { flags: '--config <name...>', summary: 'only for this config; repeat for several', preset: 'all' },
];
const givenPolicies: readonly OptionRow[] = [
  { flags: '--country <codes>', summary: 'deny nodes elsewhere, as DE,NL' },
  { flags: '--protocol <names>', summary: 'deny other protocols, as trojan,vless' },
  { flags: '--max-nodes <n>', summary: 'deny more nodes than that' },
];
const sourceFile: OptionRow = { flags: '-f, --file <file>', summary: 'the template as YAML or JSON' };
const message: OptionRow = { flags: '-m, --message <text>', summary: 'why' };

/** What recipes are made of: lists, policies, templates, operators, engines. */
export const libraryCommands: readonly CommandRow[] = [
  { usage: 'exclusion list', summary: 'Nodes that are not wanted', options: [exclusionFile], load: exclusion('list') },
  {
    usage: 'exclusion add <what...>',
    summary: 'Put nodes on the list: by id, host, name or pattern; with --from names become ids',
    options: [
      { flags: '-u, --from <source...>', summary: 'where names are looked up' },
      { flags: '--by <kind>', summary: 'id, name, host or pattern', preset: 'as it looks' },
      { flags: '--reason <text>', summary: 'why' },
      exclusionFile,
      userAgentOption,
    ],
    examples: [
      'sboxmgr exclusion add n_0123456789abcdef --reason slow',
      "sboxmgr exclusion add 'Amsterdam 3' -u https://example.com/sub",
      "sboxmgr exclusion add '(?i)premium' --by pattern",
    ],
    load: exclusion('add'),
  },
  {
    usage: 'exclusion remove <what...>',
    summary: 'Take nodes off the list',
    options: [exclusionFile],
    load: exclusion('remove'),
  },
  {
    usage: 'exclusion clear',
    summary: 'Take all nodes off the list',
    options: [{ flags: '-y, --yes', summary: 'do it' }, exclusionFile],
    load: exclusion('clear'),
  },
  {
    usage: 'exclusion test <source>',
    summary: 'Which nodes of a source the list drops',
    options: [exclusionFile, userAgentOption],
    load: exclusion('test'),
  },
  {
    usage: 'policy list',
    summary: 'What must not be, and whether it is looked for: by the manager, or on this machine',
    remote: true,
    options: [...whereOptions, policyFile],
    load: policy('list'),
  },
  { usage: 'policy show <name>', summary: 'One policy of the manager', remote: true, load: managed('show') },
  {
    usage: 'policy create <name>',
    summary: 'Give the manager a policy; it is heard when versions are made or published',
    remote: true,
    options: [...policyParts, { flags: '--disabled', summary: 'do not look for it yet' }],
    examples: [
      `sboxmgr policy create enough --reason 'too few nodes' --expression 'size(nodes) >= 3'`,
      'sboxmgr policy create no-germany -f no-germany.yaml --config main',
    ],
    load: managed('create'),
  },
  {
    usage: 'policy edit <name>',
    summary: 'Change a policy of the manager',
    remote: true,
    options: [...policyParts, { flags: '--all-configs', summary: 'hear it for all configs again' }],
    load: managed('edit'),
  },
  { usage: 'policy remove <name>', summary: 'Delete a policy of the manager', remote: true, load: managed('remove') },
  {
    usage: 'policy test [source]',
    summary: 'What the policies find in nodes, or in a config of the manager; exit 7 when one denies',
    remote: true,
    options: [
      { flags: '--config <name>', summary: 'look at this config of the manager, as NAME@VERSION at a version' },
      { flags: '--expression <text>', summary: 'with --config: look at this instead of the policies that are on' },
      { flags: '--policy <name...>', summary: 'only this one, on or off; repeat for several' },
      ...givenPolicies,
      policyFile,
      ...nodeOptions,
    ],
    examples: [
      'sboxmgr policy test ./nodes.txt --country DE,NL',
      `sboxmgr policy test --config main@stable --expression 'size(nodes) >= 3'`,
    ],
    load: policy('test'),
  },
  {
    usage: 'policy audit [source]',
    summary: 'How many nodes each policy of this machine finds, also those that are off',
    options: [...givenPolicies, policyFile, ...nodeOptions],
    load: policy('audit'),
  },
  {
    usage: 'policy enable <name...>',
    summary: 'Look for this, by the manager or on this machine',
    remote: true,
    options: [...whereOptions, policyFile],
    load: policy('enable'),
  },
  {
    usage: 'policy disable <name...>',
    summary: 'Do not look for this',
    remote: true,
    options: [...whereOptions, policyFile],
    load: policy('disable'),
  },
  {
    usage: 'template list',
    summary: 'All templates that the manager has; without one those that come with sbox',
    remote: true,
    options: [...whereOptions, ofProject],
    load: template('list'),
  },
  {
    usage: 'template show <template>',
    summary: 'A template with its parameters',
    remote: true,
    options: [...whereOptions, { flags: '--reveal', summary: 'with secrets; needs the permission secrets:reveal' }],
    load: template('show'),
  },
  {
    usage: 'template render <template>',
    summary: 'The config that a template gives, with these parameters and nodes',
    options: [
      ...nodeOptions,
      ...templateOptions.filter(({ flags }) => !flags.startsWith('--template')),
      { flags: '-f, --file <file>', summary: 'where to write, - for standard output', preset: '-' },
      ...engineOptions,
    ],
    examples: ['sboxmgr template render rule-routing --set regions=ru --set mode=blocked-only -u ./nodes.txt'],
    load: template('render'),
  },
  {
    usage: 'template lint <file>',
    summary: 'Everything in a template file that would fail later',
    options: [{ flags: '--set <name=value...>', summary: 'a parameter; repeat for several' }],
    load: template('lint'),
  },
  {
    usage: 'template adopt <config>',
    summary: 'Make a template of a config that exists: what it renders first is the same',
    options: [
      { flags: '-f, --file <file>', summary: 'where to write, - for standard output', preset: 'NAME.yaml' },
      { flags: '--name <name>', summary: 'of the template', preset: 'the name of the file' },
      ...engineOptions,
    ],
    examples: ['sboxmgr template adopt /etc/sing-box/config.json -f own.yaml'],
    load: template('adopt'),
  },
  {
    usage: 'template create <name>',
    summary: 'Give the manager a template',
    remote: true,
    options: [sourceFile, projectOption, message],
    load: template('create'),
  },
  {
    usage: 'template edit <name>',
    summary: 'Make a new version of a template',
    remote: true,
    options: [sourceFile, projectOption, message],
    load: template('edit'),
  },
  {
    usage: 'template remove <name>',
    summary: 'Delete a template that no config is made from',
    remote: true,
    load: template('remove'),
  },
  {
    usage: 'template history <name>',
    summary: 'Versions of a template, newest first',
    remote: true,
    load: template('history'),
  },
  {
    usage: 'operator list',
    summary: 'What can be done with nodes',
    load: async () => (await import('./operators.ts')).list,
  },
  {
    usage: 'operator show <name>',
    summary: 'How an operator is written',
    load: async () => (await import('./operators.ts')).show,
  },
  {
    usage: 'engine capabilities',
    summary: 'What engines can run, by version and build tags; or whether this one can',
    options: engineOptions,
    examples: [
      'sboxmgr engine capabilities',
      'sboxmgr engine capabilities --engine-version 1.12.0 --tags with_quic,with_utls',
    ],
    load: async () => (await import('./engine-capabilities.ts')).list,
  },
  {
    usage: 'engine add <file>',
    summary: 'Give the manager a sing-box that servers can be given; it is read, not run',
    remote: true,
    options: [
      { flags: '--as <version>', summary: 'its version', preset: 'what the program says' },
      { flags: '--tags <tags>', summary: 'its build tags, with commas', preset: 'what the program says' },
    ],
    examples: ['sboxmgr engine add ./sing-box-1.14.4/sing-box'],
    load: engine('add'),
  },
  { usage: 'engine list', summary: 'Engines that servers can be given', remote: true, load: engine('list') },
  {
    usage: 'engine remove <engine>',
    summary: 'Remove an engine, by version or digest, that no server is given',
    remote: true,
    options: [{ flags: '--arch <machine>', summary: 'of which machine, as x64 or arm64', preset: 'the only one' }],
    load: engine('remove'),
  },
];
