import type { CommandRow, OptionRow } from '../command.ts';
import type * as files from './files.ts';

const load = (name: keyof typeof files) => async () => (await import('./files.ts'))[name];

const directory: OptionRow = { flags: '-f, --files <dir>', summary: 'directory with a file for each thing' };
const prune: OptionRow = {
  flags: '--prune',
  summary: 'remove what has no file, of the kinds whose folder is there',
};
const secrets: OptionRow = {
  flags: '--secrets <dir>',
  summary: 'where ${file:PATH} is looked for',
  preset: 'the directory of the files',
};

/** The manager as files, as from a Git repository. */
export const filesCommands: readonly CommandRow[] = [
  {
    usage: 'plan',
    summary: 'What an apply of these files would do; exit 0 when nothing, 20 when something',
    remote: true,
    options: [directory, prune, secrets],
    examples: ['sboxmgr plan -f ./fleet', 'sboxmgr plan -f ./fleet --prune -o json'],
    load: load('plan'),
  },
  {
    usage: 'apply',
    summary: 'Make the manager have what these files say; deploys nothing by itself',
    remote: true,
    options: [
      directory,
      prune,
      { flags: '-y, --yes', summary: 'do not ask' },
      { flags: '--dry-run', summary: 'only the plan' },
      { flags: '--generate', summary: 'make versions of the configs, where something changed' },
      secrets,
    ],
    examples: ['sboxmgr apply -f ./fleet', 'sboxmgr apply -f ./fleet --prune --yes --generate'],
    load: load('apply'),
  },
];
