import type { CommandRow } from '../command.ts';
import { ofProject, projectOption } from './bounds-options.ts';
import type * as handlers from './subscriptions.ts';

const load = (name: keyof typeof handlers) => async () => (await import('./subscriptions.ts'))[name];

export const subscriptionCommands: readonly CommandRow[] = [
  {
    usage: 'subscription list',
    summary: 'List subscriptions',
    remote: true,
    options: [ofProject],
    load: load('list'),
  },
  {
    usage: 'subscription add <name> <source>',
    summary: 'Add a subscription: a URL that is fetched on a schedule, or the content of a file',
    remote: true,
    options: [
      projectOption,
      { flags: '--user-agent <name>', summary: 'client name that the provider sees' },
      { flags: '--header <header...>', summary: 'a header to send, as "name: value"' },
      { flags: '--refresh-every <duration>', summary: 'how often a URL is fetched, 0 for never', preset: '1h' },
      {
        flags: '--min-share <share>',
        summary: 'set content aside that has fewer nodes than this share of the last',
        preset: '0.5',
      },
    ],
    examples: ['sboxmgr subscription add home https://example.com/sub', 'sboxmgr subscription add own ./nodes.txt'],
    load: load('add'),
  },
  {
    usage: 'subscription show <name>',
    summary: 'One subscription',
    remote: true,
    options: [{ flags: '--reveal', summary: 'show its URL' }],
    load: load('show'),
  },
  {
    usage: 'subscription edit <name>',
    summary: 'Change some of a subscription',
    remote: true,
    options: [
      { flags: '--rename <name>', summary: 'a new name' },
      projectOption,
      { flags: '--source <source>', summary: 'another URL or file' },
      { flags: '--refresh-every <duration>', summary: 'how often a URL is fetched' },
      { flags: '--min-share <share>', summary: 'quarantine below this share' },
    ],
    load: load('edit'),
  },
  {
    usage: 'subscription remove <name>',
    summary: 'Delete a subscription that no config uses',
    remote: true,
    load: load('remove'),
  },
  {
    usage: 'subscription fetch <name>',
    summary: 'Fetch now',
    remote: true,
    options: [{ flags: '--accept', summary: 'take content that would be set aside (quarantine)' }],
    load: load('fetch'),
  },
  {
    usage: 'subscription preview <source>',
    summary: 'What a source would give; nothing is stored',
    remote: true,
    load: load('preview'),
  },
  {
    usage: 'subscription nodes <name>',
    summary: 'Nodes of the version in use',
    remote: true,
    options: [{ flags: '--reveal', summary: 'show credentials' }],
    load: load('nodes'),
  },
  { usage: 'subscription fetches <name>', summary: 'Recent fetches', remote: true, load: load('fetches') },
  { usage: 'subscription versions <name>', summary: 'Snapshots', remote: true, load: load('versions') },
  {
    usage: 'subscription diff <name> <version>',
    summary: 'What changed in a snapshot',
    remote: true,
    options: [{ flags: '--against <version>', summary: 'compare with this one', preset: 'the one before' }],
    load: load('diff'),
  },
  {
    usage: 'subscription pin <name> <version>',
    summary: 'Use this snapshot from now on; "newest" follows the newest again',
    remote: true,
    load: load('pin'),
  },
];
