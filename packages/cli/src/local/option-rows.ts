import type { OptionRow } from '../command.ts';

// A file of its own: help is made from these rows and must load nothing else.

export const userAgentOption: OptionRow = {
  flags: '--user-agent <name>',
  summary: 'client name for URLs; some servers choose the format by it',
  preset: 'SBOXMGR_USER_AGENT, else sbox',
};

/** What says which nodes there are and what is done with them. */
export const nodeOptions: readonly OptionRow[] = [
  { flags: '-u, --from <source...>', summary: 'file, URL or -; repeat for several' },
  { flags: '--recipe <file>', summary: 'a recipe as YAML or JSON: the options here go over it' },
  { flags: '--filter <expression>', summary: "keep only these nodes: 'country in (DE, NL) and port == 443'" },
  { flags: '--exclude <expression...>', summary: 'drop these nodes; repeat for several' },
  { flags: '--rename <names>', summary: "new names: '{flag} {country_name} {index:2}', or /pattern/replacement/" },
  {
    flags: '--exclusions [file]',
    summary: 'drop what the list of exclusions names',
    preset: 'SBOXMGR_EXCLUSION_FILE, else ./sbox-exclusions.json or the one in ~/.config/sbox',
  },
  userAgentOption,
];

/** What says what the nodes are put into. */
export const templateOptions: readonly OptionRow[] = [
  { flags: '--template <template>', summary: 'a template that comes with sbox, or a file' },
  { flags: '--set <name=value...>', summary: 'a parameter of the template; repeat for several' },
  { flags: '--patch <file>', summary: 'a JSON patch (RFC 6902) over the filled template' },
  { flags: '--inbound-types <types>', summary: 'tun, mixed, socks, http, with commas' },
  { flags: '--port <port>', summary: 'port of the mixed inbound', preset: '2080' },
  {
    flags: '--urltest-url <url>',
    summary: 'what nodes are compared with',
    preset: 'https://www.gstatic.com/generate_204',
  },
  {
    flags: '--rule-sets <dir>',
    summary: 'fetch remote rule-sets into this folder, so that the engine starts with no network',
  },
];

/** What decides which engine it is for. */
export const engineOptions: readonly OptionRow[] = [
  {
    flags: '--engine <file>',
    summary: 'the sing-box program: decides what can be rendered, and checks it',
    preset: 'SBOX_SING_BOX, .tools/bin, PATH',
  },
  { flags: '--engine-version <version>', summary: 'render for this version without the program' },
  { flags: '--tags <tags>', summary: 'build tags for --engine-version, with commas' },
];

/** Of commands that ask the manager, and work without one. */
export const whereOptions: readonly OptionRow[] = [
  { flags: '--remote', summary: 'ask the manager', preset: 'where one is known' },
  { flags: '--local', summary: 'only what is on this machine' },
];
