import type { CommandRow, OptionRow } from '../command.ts';
import type * as handlers from './fleet.ts';

const load = (name: keyof typeof handlers) => async () => (await import('./fleet.ts'))[name];

const place: readonly OptionRow[] = [
  { flags: '--label <name=value...>', summary: 'a label; repeat for several' },
  { flags: '--environment <name>', summary: 'its environment' },
];

export const fleetCommands: readonly CommandRow[] = [
  {
    usage: 'top',
    summary: 'The fleet, live: counts, deployments, servers with the worst first, what happened; Ctrl C ends it',
    remote: true,
    options: [
      { flags: '--interval <duration>', summary: 'how often to look', preset: '2s' },
      { flags: '--once', summary: 'one picture, as where no terminal is' },
      { flags: '--selector <selector>', summary: 'only servers with these labels, as role=edge,!canary' },
      { flags: '--environment <name>', summary: 'only servers of an environment' },
    ],
    load: async () => (await import('./top.ts')).top,
  },
  {
    usage: 'server list',
    summary: 'List servers',
    remote: true,
    options: [
      { flags: '--selector <selector>', summary: 'only those with these labels, as role=edge,!canary' },
      { flags: '--environment <name>', summary: 'only those of an environment' },
    ],
    load: load('servers'),
  },
  {
    usage: 'server show <name>',
    summary: 'One server: what it runs, how it took it, what is wrong; everything with -o yaml',
    remote: true,
    load: load('server'),
  },
  {
    usage: 'server edit <name>',
    summary: 'Change name, labels and environment; what comes to be meant for it is sent by itself',
    remote: true,
    options: [
      { flags: '--rename <name>', summary: 'a new name' },
      ...place,
      { flags: '--no-environment', summary: 'of none any more' },
      { flags: '--unlabel <name...>', summary: 'take a label off; repeat for several' },
    ],
    examples: ['sboxmgr server edit nl-1 --label role=edge region=eu --environment prod'],
    load: load('editServer'),
  },
  {
    usage: 'server token',
    summary: 'Make a token that lets one server join, and print how',
    remote: true,
    options: [
      { flags: '--name <name>', summary: 'the name the server gets', preset: 'its host name' },
      { flags: '--ttl <duration>', summary: 'how long it can be used', preset: '1h' },
      ...place,
      { flags: '-f, --file <file>', summary: 'write the token to a file of mode 0600 instead of printing it' },
    ],
    load: load('joinToken'),
  },
  { usage: 'server tokens', summary: 'Join tokens', remote: true, load: load('joinTokens') },
  { usage: 'server withdraw <token-id>', summary: 'Withdraw a join token', remote: true, load: load('withdraw') },
  {
    usage: 'server add <name>',
    summary: 'Add a server that never sees this manager; it is given bundles',
    remote: true,
    options: [
      { flags: '--offline', summary: 'say that you know: nothing is fetched by this server' },
      { flags: '--engine-version <version>', summary: 'its sing-box', preset: '1.12.0' },
      { flags: '--tags <tags>', summary: 'its build tags, with commas', preset: 'those of the wheel' },
      ...place,
    ],
    load: load('addServer'),
  },
  {
    usage: 'server remove <name>',
    summary: 'Forget a server; its agent keeps running what it has',
    remote: true,
    load: load('removeServer'),
  },
  {
    usage: 'server bundle <name>',
    summary: 'Manifest and content in one file, to carry to a server by hand',
    remote: true,
    options: [
      { flags: '-f, --file <file>', summary: 'where to write', preset: 'NAME.sbox.tar' },
      { flags: '--with-engine', summary: 'with the engine that the server is given, if it does not have it yet' },
    ],
    load: load('bundle'),
  },
  {
    usage: 'event list',
    summary: 'Events, newest first',
    remote: true,
    options: [
      { flags: '--type <prefix>', summary: 'only types that start so, as subscription.' },
      { flags: '--limit <n>', summary: 'how many', preset: '50' },
    ],
    load: load('events'),
  },
  { usage: 'status', summary: 'What the manager is and has', remote: true, load: load('status') },
  { usage: 'health', summary: 'Whether the manager can do its work', remote: true, load: load('health') },
  {
    usage: 'api <method> <path>',
    summary: 'Send a request as it is; a body comes from standard input',
    remote: true,
    options: [{ flags: '--header <header...>', summary: 'a header, as "name: value"' }],
    examples: ['sboxmgr api get /api/v1/status', 'echo \'{"name":"x"}\' | sboxmgr api post /api/v1/join-tokens'],
    load: load('api'),
  },
];
