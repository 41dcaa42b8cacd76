import { roleNames } from '@sbox/protocol/roles';
import { outputFormats } from '../out.ts';
import type { Noun } from './names.ts';

/** What may stand in a place of a command line: certain words, names of things, files or directories; several together. */
export interface Wanted {
  readonly words?: readonly string[];
  readonly names?: Noun;
  readonly paths?: 'files' | 'directories';
  /** Behind each, and no space. */
  readonly suffix?: '=';
}

const words = (...given: readonly string[]): Wanted => ({ words: given });
const names = (noun: Noun): Wanted => ({ names: noun });
const files: Wanted = { paths: 'files' };
const nothing: Wanted = {};
const clientFormats = words('base64', 'links', 'clash', 'sing-box', 'html');
const ready: Wanted = { names: 'ready-template', paths: 'files' };

/** Of one command: an option by its flag, an argument as its usage has it. */
export const ofCommand: Readonly<Record<string, Wanted>> = {
  'config diff --against': names('config-version'),
  'explain config <name>': names('config'),
  'export --format': words('json', 'auto'),
  'list-servers --debug': nothing,
  'settings diff [version]': nothing,
  'settings override end <id>': names('override'),
  'settings rollback <version>': nothing,
  'subscription diff --against': names('subscription-version'),
  'subscription diff <version>': names('subscription-version'),
  'subscription pin <version>': names('subscription-version'),
  'template adopt <config>': files,
  'template render <template>': ready,
  'totp confirm <code>': nothing,
};

/** Options of any command, with what they call their value. */
export const ofOption: Readonly<Record<string, Wanted>> = {
  '--actor <id-or-name>': names('user'),
  '--arch <machine>': words('x64', 'arm64'),
  '--by <kind>': words('id', 'name', 'host', 'pattern'),
  '--color <color>': words('none', 'green', 'yellow', 'red'),
  '--config <name>': names('config'),
  '--context <name>': names('context'),
  '--days <days>': words('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'),
  '--dns-mode <mode>': words('tunnel', 'system'),
  '--engine <version>': { names: 'engine', words: ['own'] },
  '--environment <name>': names('environment'),
  '--export-format <format>': words('singbox', 'clash'),
  '--final-route <tag>': words('proxy', 'direct', 'block'),
  '--format <format>': clientFormats,
  '--hwid <mode>': words('off', 'optional', 'required'),
  '--log-level <level>': words('error', 'warn', 'info', 'debug'),
  '--network <network>': words('tcp', 'udp'),
  '--output <format>': words(...outputFormats),
  '--path <format>': clientFormats,
  '--policy <name>': names('policy'),
  '--query <format>': clientFormats,
  '--result <result>': words('ok', 'denied', 'failed'),
  '--role <role>': words(...roleNames),
  '--server <name>': names('server'),
  '--service <kind>': words('sing-box'),
  '--subscription <name>': names('subscription'),
  '--template <name>': names('template'),
  '--template <template>': ready,
  '--to <engine>': words('sing-box'),
  '--to <format>': words('links', 'base64', 'clash', 'sing-box'),
  '--tun-stack <stack>': words('system', 'gvisor', 'mixed'),
  '--user <name>': names('client'),
  '--verdict <verdict>': words('deny', 'warn'),
  '--version <n>': names('config-version'),
  '--version <version>': names('config-version'),
};

/** Values by what they are called, of options and of arguments. */
export const ofPlaceholder: Readonly<Record<string, Wanted>> = {
  after: files,
  before: files,
  code: names('problem'),
  config: names('config'),
  dir: { paths: 'directories' },
  engine: names('engine'),
  environment: names('environment'),
  file: files,
  key: names('setting'),
  'key=value': { names: 'setting', suffix: '=' },
  method: words('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
  other: names('environment'),
  shell: words('bash', 'zsh', 'fish'),
  source: files,
  template: names('template'),
  'token-id': names('join-token'),
  user: names('user'),
};

/** `<name>` and its like are of the first word of the command, but for one that is only to be. */
export const ofGroup: Readonly<Record<string, Noun>> = {
  assignment: 'assignment',
  client: 'client',
  config: 'config',
  context: 'context',
  deployment: 'deployment',
  env: 'environment',
  operator: 'operator',
  policy: 'policy',
  server: 'server',
  subscription: 'subscription',
  template: 'template',
  token: 'token',
  user: 'user',
};

interface Place {
  /** `config deploy` */
  readonly command: string;
  /** `--role`, or an argument as its usage has it: `<name>`. */
  readonly at: string;
  /** What the value is called, without brackets and dots: `name`. */
  readonly placeholder: string;
}

/** What may stand in a place; nothing where anything may. */
export function wantedAt({ command, at, placeholder }: Place): Wanted {
  const exact = ofCommand[`${command} ${at}`];
  if (exact) return exact;
  if (at.startsWith('-')) return ofOption[`${at} <${placeholder}>`] ?? ofPlaceholder[placeholder] ?? nothing;
  const [group = '', ...rest] = command.split(' ');
  if (placeholder === 'version' && group === 'config') return names('config-version');
  if (placeholder !== 'name' && placeholder !== 'id') return ofPlaceholder[placeholder] ?? nothing;
  const noun = /^(?:add|create)$/.test(rest.at(-1) ?? '') ? undefined : ofGroup[group];
  return noun === undefined ? nothing : names(noun);
}
