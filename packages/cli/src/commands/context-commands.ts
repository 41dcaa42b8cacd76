import type { CommandRow } from '../command.ts';
import { remoteOptions } from '../shared-options.ts';
import type * as contexts from './contexts.ts';

const load = (name: Exclude<keyof typeof contexts, 'addContext'>) => async () => (await import('./contexts.ts'))[name];

/** Managers under names. */
export const contextCommands: readonly CommandRow[] = [
  { usage: 'context list', summary: 'Managers that you have named, and the one that is used', load: load('list') },
  {
    usage: 'context use <name>',
    summary: 'Talk to this manager, unless something else is named',
    load: load('use'),
  },
  {
    usage: 'context add <name> <url>',
    summary: 'Name a manager; the first one is used at once',
    options: [
      { flags: '--ca-file <file>', summary: 'certificate of its CA (PEM)' },
      { flags: '--token-file <file>', summary: 'file with a token for it', preset: 'what login keeps' },
      { flags: '--use', summary: 'use it from now on' },
    ],
    examples: [
      'sboxmgr context add office https://mgr.example:4780 --ca-file ./ca.crt',
      'sboxmgr login --context office',
    ],
    load: load('add'),
  },
  { usage: 'context remove <name>', summary: 'Forget a name; its login stays', load: load('remove') },
  {
    usage: 'context show [name]',
    summary: 'Which manager a command typed here would talk to, and why; or one that is named',
    options: remoteOptions.filter(({ flags }) => /^--(?:context|manager)/.test(flags)),
    load: load('show'),
  },
];
