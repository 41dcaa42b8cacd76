import type { CommandRow, OptionRow } from '../command.ts';
import { engineOptions, nodeOptions, templateOptions, userAgentOption } from '../local/option-rows.ts';

const engineFile: OptionRow = {
  flags: '--engine <file>',
  summary: 'the sing-box program',
  preset: 'SBOX_SING_BOX, .tools/bin, PATH',
};
const flowOptions: readonly OptionRow[] = [
  { flags: '--network <network>', summary: 'tcp or udp', preset: 'tcp' },
  { flags: '--source <address>', summary: 'where the connection comes from' },
  { flags: '--inbound <tag>', summary: 'the inbound that it comes in by' },
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
      userAgentOption,
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
      { flags: '--nodes <expression>', summary: "show only these nodes: 'country == DE and port == 443'" },
      { flags: '--reveal', summary: 'show credentials in the table; JSON always has them' },
      userAgentOption,
    ],
    examples: ['sboxmgr inspect ./subscription.txt', 'curl -s https://example.com/sub | sboxmgr inspect - -o json'],
    load: async () => (await import('./inspect.ts')).inspect,
  },
  {
    usage: 'generate',
    summary: 'Make an engine configuration from subscriptions or a recipe, without a manager',
    options: [
      ...nodeOptions,
      ...templateOptions,
      {
        flags: '--policies [file]',
        summary: 'write nothing when a policy denies a node',
        preset: 'SBOXMGR_POLICY_FILE, else ./sbox-policies.json or the one in ~/.config/sbox',
      },
      { flags: '--to <engine>', summary: 'the engine', preset: 'sing-box' },
      { flags: '-f, --file <file>', summary: 'where to write, - for standard output', preset: '-' },
      ...engineOptions,
      { flags: '--no-check', summary: 'do not run the check of the engine' },
      { flags: '--explain', summary: 'say what each operator did' },
      { flags: '--dry-run', summary: 'do everything, and write nothing' },
    ],
    examples: [
      'sboxmgr generate -u https://example.com/sub -f config.json',
      'sboxmgr generate -u ./nodes.txt --engine-version 1.13.0 --tags with_quic,with_utls',
      'sboxmgr generate --recipe recipe.yaml --rule-sets ./rule-sets -f config.json',
      "sboxmgr generate -u ./nodes.txt --filter 'country in (DE, NL)' --template tun-gateway --set tun_mtu=1400",
    ],
    load: async () => (await import('./generate.ts')).generate,
  },
  {
    usage: 'convert <source>',
    summary: 'Write the nodes of a source in another form; what that cannot carry is said (exit 9)',
    options: [
      { flags: '--to <format>', summary: 'links, base64, clash or sing-box' },
      { flags: '-f, --file <file>', summary: 'where to write, - for standard output', preset: '-' },
      userAgentOption,
    ],
    examples: ['sboxmgr convert ./nodes.txt --to clash -f clash.yaml'],
    load: async () => (await import('./convert.ts')).convert,
  },
  {
    usage: 'check <file>',
    summary:
      'Check a sing-box configuration: references that the engine misses, what goes away, then the engine itself',
    options: [engineFile, { flags: '--strict', summary: 'warnings fail it too' }],
    load: async () => (await import('./check.ts')).check,
  },
  {
    usage: 'diff <before> <after>',
    summary: 'What two configurations mean differently, or which nodes two subscriptions do not share',
    options: [
      { flags: '--semantic', summary: 'by what it means; the default' },
      { flags: '--text', summary: 'every value that differs, secrets hidden' },
      { flags: '--nodes', summary: 'the nodes of two configurations' },
      { flags: '--reveal', summary: 'show secrets in --text' },
      { flags: '--exit-code', summary: 'answer 20 when there is a difference' },
      userAgentOption,
    ],
    examples: ['sboxmgr diff old.json new.json', 'sboxmgr diff ./nodes.txt https://example.com/sub --exit-code'],
    load: async () => (await import('./diff.ts')).diff,
  },
  {
    usage: 'probe <source>',
    summary: 'How fast each node answers: to a TCP connection, or to a request through it',
    options: [
      { flags: '--tcp', summary: 'open a connection to its server; the default' },
      { flags: '--http', summary: 'run the engine and send a request through each node' },
      { flags: '--url <url>', summary: 'what is requested', preset: 'https://www.gstatic.com/generate_204' },
      { flags: '--timeout <duration>', summary: 'for each node', preset: '5s; 10s with --http' },
      { flags: '--concurrency <n>', summary: 'so many at a time', preset: '64; 16 with --http' },
      engineFile,
      userAgentOption,
    ],
    examples: ['sboxmgr probe ./nodes.txt', 'sboxmgr probe https://example.com/sub --http -o json'],
    load: async () => (await import('./probe.ts')).probe,
  },
  {
    usage: 'upgrade preview [file]',
    summary:
      'What another version of the engine would change in a recipe or a configuration file; exit 7 when it breaks',
    options: [
      { flags: '--to <version>', summary: 'the other version, as 1.14' },
      { flags: '--from <version>', summary: 'the version now', preset: 'that of the engine' },
      { flags: '--recipe <file>', summary: 'a recipe as YAML or JSON' },
      engineFile,
      { flags: '--tags <tags>', summary: 'build tags of both, with commas', preset: 'those of the engine' },
    ],
    examples: [
      'sboxmgr upgrade preview --to 1.14 --recipe recipe.yaml',
      'sboxmgr upgrade preview config.json --to 1.14',
    ],
    load: async () => (await import('./upgrade.ts')).previewUpgrade,
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
    usage: 'key rotate',
    summary: 'Give a manager that is stopped another key to sign orders with; agents learn of it by the root key',
    options: [
      { flags: '--data <dir>', summary: 'state directory', preset: '/var/lib/sboxmgr' },
      { flags: '--config <file>', summary: 'settings file', preset: '/etc/sboxmgr/manager.yaml when it exists' },
    ],
    load: async () => (await import('./serve.ts')).rotateKey,
  },
  {
    usage: 'explain <code>',
    summary: 'What a problem code means and what to do about it',
    examples: ['sboxmgr explain engine.not-found'],
    load: async () => (await import('./explain.ts')).explain,
  },
  {
    usage: 'explain node <id-or-name>',
    summary: 'Where a node comes from, what each operator did to it, and where it is now',
    options: [...nodeOptions, ...templateOptions, ...engineOptions],
    examples: ["sboxmgr explain node 'Amsterdam 3' --recipe recipe.yaml"],
    load: async () => (await import('./explain.ts')).explainNode,
  },
  {
    usage: 'explain dest <destination>',
    summary: 'Where a connection goes, and by which rule: in what a recipe makes, or in a configuration file',
    options: [
      { flags: '-f, --file <file>', summary: 'a configuration of sing-box, instead of a recipe' },
      ...flowOptions,
      { flags: '--protocol <name>', summary: 'what sniffing finds', preset: 'what is usual at the port' },
      { flags: '--address <address...>', summary: 'what the name resolves to' },
      { flags: '--mode <name>', summary: 'the mode of the control API' },
      ...nodeOptions,
      ...templateOptions,
      ...engineOptions,
    ],
    examples: [
      'sboxmgr explain dest example.com:443 --recipe recipe.yaml',
      'sboxmgr explain dest 192.0.2.1:53 --network udp --file config.json',
    ],
    load: async () => (await import('./explain.ts')).explainDest,
  },
  {
    usage: 'explain config <name>',
    summary: 'The same about a config: where a connection goes, and why a node is where it is',
    remote: true,
    options: [
      { flags: '--dest <destination>', summary: 'a host or an address, with its port' },
      { flags: '--node <id-or-name>', summary: 'a node' },
      ...flowOptions,
      { flags: '--version <n>', summary: 'of the config', preset: 'the newest' },
    ],
    examples: [
      'sboxmgr explain config main --dest example.com:443',
      "sboxmgr explain config main --node 'Amsterdam 3'",
    ],
    load: async () => (await import('./explain.ts')).explainConfig,
  },
];
