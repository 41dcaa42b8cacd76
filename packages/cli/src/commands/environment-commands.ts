import type { CommandRow, OptionRow } from '../command.ts';
import type * as assignments from './assignments.ts';
import type * as environments from './environments.ts';

const environment = (name: keyof typeof environments) => async () => (await import('./environments.ts'))[name];
const assignment = (name: keyof typeof assignments) => async () => (await import('./assignments.ts'))[name];

const about: readonly OptionRow[] = [
  { flags: '--description <text>', summary: 'what it is for' },
  { flags: '--color <color>', summary: 'none, green, yellow or red' },
];
const meaning: readonly OptionRow[] = [
  {
    flags: '--selector <selector>',
    summary: 'labels that a server must have, as role=edge,!canary; "" means every server',
  },
  { flags: '--config <config>', summary: 'what they are to run' },
  { flags: '--environment <name>', summary: 'only servers of this environment' },
];

/** Groups of servers, and what is for which servers. */
export const environmentCommands: readonly CommandRow[] = [
  { usage: 'env list', summary: 'List environments', remote: true, load: environment('list') },
  {
    usage: 'env show <name>',
    summary: 'One environment with its freeze windows',
    remote: true,
    load: environment('show'),
  },
  {
    usage: 'env create <name>',
    summary: 'Make an environment',
    remote: true,
    options: about,
    examples: ['sboxmgr env create prod --description "what customers use" --color red'],
    load: environment('create'),
  },
  {
    usage: 'env edit <name>',
    summary: 'Change an environment',
    remote: true,
    options: about,
    load: environment('edit'),
  },
  {
    usage: 'env freeze <name>',
    summary: 'Deploy nothing there for a time: once, or every week with --days',
    remote: true,
    options: [
      { flags: '--reason <text>', summary: 'why; people who are held up read it' },
      { flags: '--for <duration>', summary: 'from now on for so long, as 2h or 3d' },
      { flags: '--from <time>', summary: 'as 2026-12-20T18:00:00Z; with --days as 18:00', preset: 'now' },
      { flags: '--to <time>', summary: 'when it ends, in the same way' },
      { flags: '--days <days>', summary: 'every week on these, as fri,sat,sun' },
      { flags: '--time-zone <zone>', summary: 'of the clock that --days goes by, as Europe/Amsterdam', preset: 'UTC' },
      { flags: '--window <name>', summary: 'what this freeze is called', preset: 'freeze-1, and so on' },
    ],
    examples: [
      'sboxmgr env freeze prod --for 2h --reason "the fair"',
      'sboxmgr env freeze prod --days fri,sat,sun --from 18:00 --to 08:00 --time-zone Europe/Amsterdam --reason "nobody is there"',
    ],
    load: environment('freeze'),
  },
  {
    usage: 'env unfreeze <name> [window]',
    summary: 'Take a freeze window away; what it held back is deployed',
    remote: true,
    load: environment('unfreeze'),
  },
  {
    usage: 'env remove <name>',
    summary: 'Delete an environment that nothing is in',
    remote: true,
    load: environment('remove'),
  },
  { usage: 'assignment list', summary: 'Which servers which config is for', remote: true, load: assignment('list') },
  { usage: 'assignment show <name>', summary: 'One assignment', remote: true, load: assignment('show') },
  {
    usage: 'assignment create <name>',
    summary: 'Say which servers a config is for; nothing is sent before it is deployed',
    remote: true,
    options: [
      ...meaning,
      { flags: '--unit <unit>', summary: 'what it is called there: a server runs one config for each', preset: 'main' },
    ],
    examples: ['sboxmgr assignment create edges --selector role=edge,!canary --environment prod --config main'],
    load: assignment('create'),
  },
  {
    usage: 'assignment edit <name>',
    summary: 'Change an assignment; servers that come to be meant are sent its version',
    remote: true,
    options: [
      { flags: '--rename <name>', summary: 'a new name' },
      ...meaning,
      { flags: '--no-environment', summary: 'servers of any environment, and of none' },
    ],
    load: assignment('edit'),
  },
  {
    usage: 'assignment remove <name>',
    summary: 'Delete an assignment; servers keep what they run',
    remote: true,
    load: assignment('remove'),
  },
  {
    usage: 'assignment servers <name>',
    summary: 'Who is meant and what they run, and who runs it without being meant',
    remote: true,
    load: assignment('servers'),
  },
];
