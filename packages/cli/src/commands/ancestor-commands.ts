import type { CommandRow, OptionRow } from '../command.ts';
import { userAgentOption } from '../local/option-rows.ts';
import type * as handlers from './ancestor.ts';

const load = (name: keyof typeof handlers) => async () => (await import('./ancestor.ts'))[name];

const sourceOptions: readonly OptionRow[] = [
  { flags: '-u, --url <source...>', summary: 'file, URL or -', preset: 'SBOXMGR_URL, SINGBOX_URL' },
  userAgentOption,
  { flags: '--no-user-agent', summary: 'send no client name' },
  { flags: '-d, --debug <level>', summary: 'taken and not used: see --verbose' },
];

/** Commands of the older sboxctl: they do what they did and name the command that is meant now. */
export const ancestorCommands: readonly CommandRow[] = [
  {
    usage: 'export',
    summary: 'Everything that the manager has as files, with -d; else the older name of generate',
    remote: true,
    hasOwnOutput: true,
    options: [
      { flags: '-d, --directory <dir>', summary: 'where to write a file for each thing' },
      { flags: '--reveal', summary: 'with -d: write secrets too' },
      { flags: '--force', summary: 'with -d: write over files that say something else' },
      { flags: '--secrets <dir>', summary: 'with -d: where ${file:PATH} of files that are there is looked for' },
      ...sourceOptions.map(({ flags, ...option }) => ({ flags: flags.replace('-d, --debug', '--debug'), ...option })),
      { flags: '-o, --output <file>', summary: 'where to write, - for standard output', preset: 'config.json' },
      { flags: '--format <format>', summary: 'json or auto', preset: 'auto' },
      { flags: '--export-format <format>', summary: 'singbox or clash', preset: 'singbox' },
      { flags: '--dry-run', summary: 'write nothing' },
      { flags: '--validate-only', summary: 'the same' },
      { flags: '--agent-check', summary: 'taken and not needed: the engine always checks' },
      { flags: '--backup', summary: 'keep the old file beside the new one, as FILE.bak' },
      { flags: '--profile <file>', summary: 'has no equal: see import-config' },
      { flags: '--client-profile <file>', summary: 'has no equal: see template' },
      { flags: '--postprocessors <list>', summary: 'has no equal: see operator' },
      { flags: '--middleware <list>', summary: 'has no equal: see operator' },
      { flags: '--inbound-types <types>', summary: 'tun, socks, http, tproxy, with commas' },
      { flags: '--tun-address <networks>', summary: 'addresses of the interface, with commas' },
      { flags: '--tun-mtu <mtu>', summary: 'MTU of the interface' },
      { flags: '--tun-stack <stack>', summary: 'system, gvisor or mixed' },
      ...(['socks', 'http', 'tproxy'] as const).flatMap((type): OptionRow[] => [
        { flags: `--${type}-port <port>`, summary: `port of the ${type} inbound` },
        { flags: `--${type}-listen <address>`, summary: 'its address', preset: '127.0.0.1' },
        ...(type === 'tproxy' ? [] : [{ flags: `--${type}-auth <user:password>`, summary: 'who may use it' }]),
      ]),
      { flags: '--dns-mode <mode>', summary: 'tunnel or system', preset: 'tunnel' },
      { flags: '--final-route <tag>', summary: 'proxy, direct or block', preset: 'proxy' },
      { flags: '--exclude-outbounds <types>', summary: 'protocols to leave out, with commas' },
      { flags: '--engine <file>', summary: 'the sing-box program', preset: 'SBOX_SING_BOX, .tools/bin, PATH' },
    ],
    examples: [
      'sboxmgr export -d ./fleet',
      'sboxmgr export -u https://example.com/sub --inbound-types socks --socks-port 1080',
    ],
    load: load('exportConfig'),
  },
  {
    usage: 'list-servers',
    summary: 'The older name of inspect',
    options: sourceOptions,
    load: load('listServers'),
  },
  {
    usage: 'exclusions',
    summary: 'The older name of exclusion',
    options: [
      ...sourceOptions,
      { flags: '--add <names...>', summary: 'ids or names, with commas' },
      { flags: '--remove <names...>', summary: 'take these out' },
      { flags: '--view', summary: 'show the list' },
      { flags: '--clear', summary: 'take all out; needs --yes' },
      { flags: '--reason <text>', summary: 'why' },
      { flags: '-y, --yes', summary: 'ask nothing' },
      { flags: '-i, --interactive', summary: 'is not there any more' },
    ],
    load: load('exclusions'),
  },
  {
    usage: 'import-config <file>',
    summary: 'Make a recipe of a TOML profile of the older sboxctl, and say what has no equal',
    options: [{ flags: '-f, --file <file>', summary: 'where to write, - for standard output', preset: '-' }],
    examples: ['sboxmgr import-config profile.toml -f recipe.yaml'],
    load: async () => (await import('./import-config.ts')).importConfig,
  },
];
