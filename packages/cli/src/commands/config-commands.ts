import type { CommandRow, OptionRow } from '../command.ts';
import { engineOptions, nodeOptions } from '../local/option-rows.ts';
import { ofProject, projectOption } from './bounds-options.ts';
import type * as handlers from './configs.ts';
import type * as versions from './version-commands.ts';

const version = (name: keyof typeof versions) => async () => (await import('./version-commands.ts'))[name];
const load = (name: keyof typeof handlers) => async () => (await import('./configs.ts'))[name];

const recipeOptions: readonly OptionRow[] = [
  projectOption,
  { flags: '--subscription <name...>', summary: 'take nodes from this one; repeat for several' },
  { flags: '--port <port>', summary: 'port of the mixed inbound', preset: '2080' },
  { flags: '--listen <address>', summary: 'address of the mixed inbound', preset: '127.0.0.1' },
  { flags: '--urltest-url <url>', summary: 'what nodes are compared with' },
  { flags: '--probe-url <url...>', summary: 'what agents fetch to prove a version; repeat for several' },
  {
    flags: '--watch <duration>',
    summary: 'how long a version must stay healthy before it is committed',
    preset: '10s',
  },
  { flags: '--pipeline <file>', summary: 'operators as YAML or JSON, or a recipe that has them' },
  { flags: '--template <name>', summary: 'what the nodes are put into; NAME@VERSION stays at a version' },
  { flags: '--set <name=value...>', summary: 'a parameter of the template; repeat for several' },
  { flags: '--patch <file>', summary: 'a JSON patch (RFC 6902) over the filled template' },
  { flags: '--tests <file>', summary: 'tests as YAML or JSON, or a recipe that has them' },
  { flags: '--tests-block', summary: 'a failed test keeps a version from being made; so it is at first' },
  { flags: '--no-tests-block', summary: 'a failed test does not keep a version from being made' },
  { flags: '--settings <file>', summary: 'settings as YAML or JSON; the options above go over them' },
];
const targetOptions: readonly OptionRow[] = [
  {
    flags: '--server <name...>',
    summary: 'move these servers',
    preset: 'those that it is assigned to or that run it, or the only one',
  },
  { flags: '--environment <name>', summary: 'move the servers of this environment' },
  { flags: '--selector <selector>', summary: 'move the servers with these labels, as role=edge,!canary' },
];
const deployOptions: readonly OptionRow[] = [
  { flags: '--no-wait', summary: 'do not wait for the verdict' },
  { flags: '--timeout <duration>', summary: 'how long to wait', preset: '2m, and the time to confirm' },
  {
    flags: '--engine <version>',
    summary: 'the engine that servers are given, of `engine list`; own: what each has',
    preset: 'as the recipe says, else as before',
  },
  {
    flags: '--confirm <duration>',
    summary: 'servers take it back after so long, unless it is confirmed or the manager is still reached',
  },
  { flags: '--override-freeze <reason>', summary: 'deploy in spite of a freeze, and say why; it is recorded' },
];

export const configCommands: readonly CommandRow[] = [
  { usage: 'config list', summary: 'List configs', remote: true, options: [ofProject], load: load('list') },
  {
    usage: 'config create <name>',
    summary: 'Make a config and its version 1',
    remote: true,
    options: [
      ...recipeOptions,
      { flags: '--auto-deploy', summary: 'deploy what a changed subscription gives' },
      { flags: '--draft', summary: 'make version 1 a draft: policies and tests keep nothing back' },
    ],
    examples: ['sboxmgr config create main --subscription home --port 1080'],
    load: load('create'),
  },
  { usage: 'config show <name>', summary: 'One config', remote: true, load: load('show') },
  {
    usage: 'config edit <name>',
    summary: 'Change some of a recipe; generate makes a version of it',
    remote: true,
    options: [
      ...recipeOptions,
      { flags: '--rename <name>', summary: 'a new name' },
      { flags: '--auto-deploy', summary: 'deploy what a changed subscription gives' },
      { flags: '--no-auto-deploy', summary: 'only make versions' },
    ],
    load: load('edit'),
  },
  { usage: 'config remove <name>', summary: 'Delete a config that no server runs', remote: true, load: load('remove') },
  {
    usage: 'config generate <name>',
    summary: 'Make a new version when something changed',
    remote: true,
    options: [
      { flags: '-m, --message <text>', summary: 'why' },
      { flags: '--draft', summary: 'a version to look at, which is not deployed before it is published' },
    ],
    load: load('generate'),
  },
  {
    usage: 'config validate <name>',
    summary: 'What would be rendered, left out and found wrong',
    remote: true,
    load: load('validate'),
  },
  { usage: 'config versions <name>', summary: 'Versions, newest first', remote: true, load: load('versions') },
  {
    usage: 'config version <name> <version>',
    summary: 'One version: what it was made from, and what it was rendered for',
    remote: true,
    load: load('showVersion'),
  },
  {
    usage: 'config publish <name> <version>',
    summary: 'Make a draft the newest version, when its tests and policies let it',
    remote: true,
    examples: ['sboxmgr config generate main --draft', 'sboxmgr config publish main 7'],
    load: version('publish'),
  },
  {
    usage: 'config discard <name> <version>',
    summary: 'Delete a draft',
    remote: true,
    load: version('discard'),
  },
  {
    usage: 'config tag <name> <version> [tag...]',
    summary: 'Give a version a name; it leaves the version that had it',
    remote: true,
    options: [{ flags: '--remove <tag...>', summary: 'take this one away; repeat for several' }],
    examples: ['sboxmgr config tag main 7 stable', 'sboxmgr config deploy main@stable'],
    load: version('tag'),
  },
  {
    usage: 'config note <name> <version> [text...]',
    summary: 'Write down something about a version, in place of what is there',
    remote: true,
    options: [
      { flags: '-f, --file <file>', summary: 'the text from a file' },
      { flags: '--clear', summary: 'no notes' },
    ],
    load: version('note'),
  },
  {
    usage: 'config diff <name> <version>',
    summary: 'What changed in a version',
    remote: true,
    options: [
      { flags: '--against <version>', summary: 'compare with this one', preset: 'the one before' },
      { flags: '--server <name>', summary: 'what this server gets of both' },
      { flags: '--text', summary: 'line by line' },
      { flags: '--exit-code', summary: 'answer 20 when there is a difference' },
    ],
    load: load('diff'),
  },
  {
    usage: 'config test [name]',
    summary: 'Run the tests of a config, or of a recipe with no manager; exit 7 when one fails',
    remote: true,
    options: [
      { flags: '--junit <file>', summary: 'write the results as JUnit XML too, - for standard output' },
      ...nodeOptions,
      { flags: '--rule-sets <dir>', summary: 'fetch the rule-sets of the recipe into this folder' },
      ...engineOptions,
    ],
    examples: ['sboxmgr config test main', 'sboxmgr config test --recipe recipe.yaml --junit results.xml'],
    load: async () => (await import('./config-tests.ts')).testConfig,
  },
  {
    usage: 'config upgrade-preview <name>',
    summary: 'What another version of the engine would change; exit 7 when it breaks',
    remote: true,
    options: [
      { flags: '--to <version>', summary: 'the other version, as 1.14' },
      { flags: '--from <version>', summary: 'the version now', preset: 'that of the engine of the manager' },
    ],
    load: async () => (await import('./upgrade.ts')).remotePreview,
  },
  {
    usage: 'rule-set list',
    summary: 'Rule-sets that the manager mirrors',
    remote: true,
    load: async () => (await import('./rule-sets.ts')).list,
  },
  {
    usage: 'rule-set refresh [url...]',
    summary: 'Fetch rule-sets now, all or these',
    remote: true,
    load: async () => (await import('./rule-sets.ts')).refresh,
  },
  {
    usage: 'config rollback <name> <version>',
    summary: 'Make a new version like an older one, and deploy it',
    remote: true,
    options: [
      { flags: '-m, --message <text>', summary: 'why' },
      { flags: '--no-deploy', summary: 'only make the version' },
      ...deployOptions,
    ],
    load: load('rollback'),
  },
  {
    usage: 'config deploy <name>',
    summary: 'Move servers to a version: one first, the rest on its verdict',
    options: [
      ...targetOptions,
      { flags: '--version <version>', summary: 'the version, by number or tag', preset: 'NAME@VERSION, or the newest' },
      ...deployOptions,
      { flags: '-m, --message <text>', summary: 'why' },
    ],
    examples: [
      'sboxmgr config deploy main',
      'sboxmgr config deploy main@stable',
      'sboxmgr config deploy main --server ams-1 --server ams-2',
      'sboxmgr config deploy main --environment prod',
      'sboxmgr config deploy main --selector "role=edge,region in (eu,us)"',
      'sboxmgr config deploy main --engine 1.14.4 --confirm 120s',
    ],
    remote: true,
    load: load('deploy'),
  },
  {
    usage: 'config export <name>',
    summary: 'The runnable text of a version, with its secrets',
    remote: true,
    options: [
      { flags: '--version <version>', summary: 'the version, by number or tag', preset: 'NAME@VERSION, or the newest' },
      { flags: '--server <name>', summary: 'what this server runs of it, or gets' },
    ],
    load: load('exportText'),
  },
  { usage: 'deployment list', summary: 'Deployments, newest first', remote: true, load: load('deployments') },
  {
    usage: 'deployment show <id>',
    summary: 'One deployment, server by server',
    remote: true,
    load: load('deployment'),
  },
];
