import type { CommandRow, OptionRow } from '../command.ts';

const sourceOptions: readonly OptionRow[] = [
  {
    flags: '--user-agent <name>',
    summary: 'client name for URLs; some servers choose the format by it',
    preset: 'sbox',
  },
];

/** Commands that work with no manager. */
export const localCommands: readonly CommandRow[] = [
  {
    usage: 'quickstart',
    summary: 'From a subscription to a request through a proxy: provider, manager, agent and engine on this machine',
    options: [
      {
        flags: '--from <source>',
        summary: 'your own subscription: a file or a URL',
        preset: 'a demo provider on loopback',
      },
      { flags: '--once', summary: 'stop everything after the proof' },
      {
        flags: '--listen <address>',
        summary: 'where the manager listens',
        preset: '127.0.0.1:4780; any free port with --once',
      },
      {
        flags: '--proxy-port <port>',
        summary: 'where the proxy listens',
        preset: '2080, or a free port when that is taken',
      },
      { flags: '--engine <file>', summary: 'the sing-box program', preset: 'SBOX_SING_BOX, .tools/bin, PATH' },
      { flags: '--dir <dir>', summary: 'where state is kept; a second run goes on from it', preset: './.sbox' },
      ...sourceOptions,
    ],
    examples: [
      'sboxmgr quickstart',
      'sboxmgr quickstart --from https://example.com/sub',
      'sboxmgr quickstart --once -o json',
    ],
    load: async () => (await import('../quickstart/quickstart.ts')).quickstart,
  },
  {
    usage: 'inspect <source>',
    summary: 'Read a subscription (file, URL or -) and show its nodes and what was rejected',
    options: [
      { flags: '--rejected', summary: 'show only what was rejected, with reasons' },
      { flags: '--raw', summary: 'show the first bytes as they came' },
      { flags: '--reveal', summary: 'show credentials in the table; JSON always has them' },
      ...sourceOptions,
    ],
    examples: ['sboxmgr inspect ./subscription.txt', 'curl -s https://example.com/sub | sboxmgr inspect - -o json'],
    load: async () => (await import('./inspect.ts')).inspect,
  },
  {
    usage: 'generate',
    summary: 'Make an engine configuration from subscriptions, without a manager',
    options: [
      { flags: '-u, --from <source...>', summary: 'file, URL or -; repeat for several' },
      { flags: '--to <engine>', summary: 'the engine', preset: 'sing-box' },
      { flags: '-f, --file <file>', summary: 'where to write, - for standard output', preset: '-' },
      { flags: '--port <port>', summary: 'port of the mixed inbound', preset: '2080' },
      {
        flags: '--urltest-url <url>',
        summary: 'what nodes are compared with',
        preset: 'https://www.gstatic.com/generate_204',
      },
      {
        flags: '--engine <file>',
        summary: 'the sing-box program: decides what can be rendered, and checks it',
        preset: 'SBOX_SING_BOX, .tools/bin, PATH',
      },
      { flags: '--engine-version <version>', summary: 'render for this version without the program' },
      { flags: '--tags <tags>', summary: 'build tags for --engine-version, with commas' },
      { flags: '--no-check', summary: 'do not run the check of the engine' },
      ...sourceOptions,
    ],
    examples: [
      'sboxmgr generate -u https://example.com/sub -f config.json',
      'sboxmgr generate -u ./nodes.txt --engine-version 1.13.0 --tags with_quic,with_utls',
    ],
    load: async () => (await import('./generate.ts')).generate,
  },
  {
    usage: 'check <file>',
    summary: 'Check a sing-box configuration: references that the engine misses, then the engine itself',
    options: [{ flags: '--engine <file>', summary: 'the sing-box program', preset: 'SBOX_SING_BOX, .tools/bin, PATH' }],
    load: async () => (await import('./check.ts')).check,
  },
  {
    usage: 'serve',
    summary: 'Run the manager',
    options: [
      { flags: '--data <dir>', summary: 'state directory', preset: '/var/lib/sboxmgr' },
      { flags: '--listen <address>', summary: 'host:port; TLS by an own CA off loopback', preset: '127.0.0.1:4780' },
      { flags: '--config <file>', summary: 'settings file', preset: '/etc/sboxmgr/manager.yaml when it exists' },
      {
        flags: '--engine <file>',
        summary: 'the sing-box program, for checks',
        preset: 'SBOX_SING_BOX, .tools/bin, PATH',
      },
      { flags: '--log-level <level>', summary: 'error, warn, info or debug', preset: 'info' },
      { flags: '--ready-json', summary: 'print one line of JSON when it listens' },
    ],
    load: async () => (await import('./serve.ts')).serve,
  },
  {
    usage: 'settings explain <key>',
    summary: 'Say what a setting of the manager is and who set it',
    options: [
      { flags: '--config <file>', summary: 'settings file', preset: '/etc/sboxmgr/manager.yaml when it exists' },
    ],
    examples: ['sboxmgr settings explain fetch.allow'],
    load: async () => (await import('./serve.ts')).explainSetting,
  },
  {
    usage: 'explain <code>',
    summary: 'What a problem code means and what to do about it',
    examples: ['sboxmgr explain engine.not-found'],
    load: async () => (await import('./explain.ts')).explain,
  },
];
