import type { CommandRow, OptionRow } from '../command.ts';
import type * as overrides from './setting-overrides.ts';
import type * as settings from './settings.ts';

const load = (name: keyof typeof settings) => async () => (await import('./settings.ts'))[name];
const override = (name: keyof typeof overrides) => async () => (await import('./setting-overrides.ts'))[name];

const scope: readonly OptionRow[] = [
  { flags: '--global', summary: 'for everything' },
  { flags: '--environment <name>', summary: 'for the servers of an environment' },
  { flags: '--service <kind>', summary: 'for what runs this kind of engine, as sing-box' },
  { flags: '--labels <selector>', summary: "for servers with these labels, as 'role=edge,!canary'" },
  { flags: '--server <name>', summary: 'for one server' },
  { flags: '--user <name>', summary: 'for one client, who takes configs at /sub' },
];
const message: OptionRow = { flags: '-m, --message <text>', summary: 'why' };
const reveal: OptionRow = { flags: '--reveal', summary: 'with secrets; needs the permission secrets:reveal' };

/** Whose settings are asked for. */
const who: readonly OptionRow[] = [
  { flags: '--of <config>', summary: 'with what its recipe says' },
  { flags: '--server <name>', summary: 'for this server' },
  { flags: '--environment <name>', summary: 'for a server of this environment' },
  { flags: '--user <name>', summary: 'for this client' },
  reveal,
];

/** Settings of configs in layers, and the ones of the manager itself. */
export const settingsCommands: readonly CommandRow[] = [
  { usage: 'settings list', summary: 'Scopes that have values', remote: true, load: load('list') },
  { usage: 'settings keys', summary: 'Every key that values can be written for', remote: true, load: load('keys') },
  {
    usage: 'settings show',
    summary: 'The values of a scope',
    remote: true,
    options: [...scope, reveal],
    examples: ['sboxmgr settings show --server nl-1'],
    load: load('show'),
  },
  {
    usage: 'settings set <key=value...>',
    summary: 'Write values of a scope; configs that get something else by it get a new version',
    remote: true,
    options: [...scope, message],
    examples: [
      'sboxmgr settings set log_level=info --global',
      "sboxmgr settings set urltest.interval=1m params.port=8443 --labels 'role=edge' -m 'closer look'",
    ],
    load: load('set'),
  },
  {
    usage: 'settings unset <key...>',
    summary: 'Take values of a scope away',
    remote: true,
    options: [...scope, message],
    load: load('unset'),
  },
  {
    usage: 'settings edit',
    summary: 'Write all values of a scope from a file',
    remote: true,
    options: [{ flags: '-f, --file <file>', summary: 'YAML or JSON, nested or by dotted keys' }, ...scope, message],
    load: load('edit'),
  },
  {
    usage: 'settings explain <key>',
    summary: 'Every layer that has a say in a setting, and which wins; also for settings of the manager itself',
    remote: true,
    options: [
      ...who,
      {
        flags: '--config <file>',
        summary: 'settings file, for the manager itself',
        preset: '/etc/sboxmgr/manager.yaml when it exists',
      },
    ],
    examples: ['sboxmgr settings explain log_level --server nl-1 --of main', 'sboxmgr settings explain fetch.allow'],
    load: load('explain'),
  },
  {
    usage: 'settings effective',
    summary: 'What a server, a config or a client gets, and from which layer',
    remote: true,
    options: who,
    load: load('effective'),
  },
  {
    usage: 'settings history',
    summary: 'What a scope had before, newest first',
    remote: true,
    options: scope,
    load: load('history'),
  },
  {
    usage: 'settings diff [version]',
    summary: 'What a version of a scope changed, the newest by default',
    remote: true,
    options: [...scope, { flags: '--against <version>', summary: 'another version', preset: 'the one before' }],
    load: load('diff'),
  },
  {
    usage: 'settings rollback <version>',
    summary: 'Write the values of an older version again',
    remote: true,
    options: [...scope, message],
    load: load('rollback'),
  },
  {
    usage: 'settings override add <key=value>',
    summary: 'Let a value win over all others for a while',
    remote: true,
    options: [
      { flags: '--for <duration>', summary: 'how long, as 30m' },
      { flags: '--reason <text>', summary: 'why' },
      ...scope,
    ],
    examples: ['sboxmgr settings override add log_level=debug --server nl-1 --for 30m --reason "looking for a fault"'],
    load: override('add'),
  },
  { usage: 'settings override list', summary: 'Overrides that have not ended', remote: true, load: override('list') },
  { usage: 'settings override end <id>', summary: 'End an override now', remote: true, load: override('end') },
  {
    usage: 'env set <environment> <key=value...>',
    summary: 'Write values for the servers of an environment',
    remote: true,
    options: [message],
    load: load('setEnvironment'),
  },
  {
    usage: 'env unset <environment> <key...>',
    summary: 'Take values of an environment away',
    remote: true,
    options: [message],
    load: load('unsetEnvironment'),
  },
  {
    usage: 'env diff <environment> <other>',
    summary: 'What servers of two environments get differently',
    remote: true,
    options: [{ flags: '--of <config>', summary: 'with what its recipe says' }],
    load: load('diffEnvironments'),
  },
];
