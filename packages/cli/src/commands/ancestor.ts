import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { flag, text, texts, type Call, type OptionValue } from '../command.ts';
import { portOf } from '../local/recipe-options.ts';
import { isUrl, type Recipe } from '../local/recipe.ts';

/** Says what the command is called now; the old one does the same. */
const hint = ({ out }: Call, now: string): void => out.talk(`hint: this is now: ${now}`);

/** What these commands took from the environment. The address of a manager cannot be told from a subscription's. */
function sourcesOf(call: Call): readonly string[] {
  const { env } = call.host;
  const urls = texts(call, 'url');
  if (urls.length > 0) return urls;
  const [name, url] =
    ['SBOXMGR_URL', 'SINGBOX_URL', 'TEST_URL'].map((key) => [key, env[key]] as const).find(([, value]) => value) ?? [];
  if (name === undefined || url === undefined)
    throw new ProblemError('command.usage', 'no subscription was named', { fix: '-u URL' });
  call.out.talk(`${name} is taken for a subscription here; for the commands of a manager it is the address of that`);
  return [url];
}

function begin(call: Call, now: (from: string) => string): { readonly from: readonly string[]; readonly call: Call } {
  const { env } = call.host;
  const language = env['SBOXMGR_LANG'];
  const from = sourcesOf(call);
  const [first = '-'] = from;
  hint(call, now(isUrl(first) ? "'URL'" : first));
  if (language !== undefined && !/^(?:en\b|ru\b|C\b|$)/i.test(language))
    call.out.talk(`SBOXMGR_LANG=${language}: there is English and Russian only`);
  for (const [option, instead] of lost) {
    if (call.options[option] !== undefined) call.out.talk(`${dashed(option)} has no equal: ${instead}`);
  }
  return { from, call: withOptions(call, { from, ...(call.options['userAgent'] === false ? { userAgent: '' } : {}) }) };
}

const dashed = (option: string): string => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
const withOptions = (call: Call, options: Readonly<Record<string, OptionValue>>): Call => ({
  ...call,
  options: { ...call.options, ...options },
});

const lost: readonly (readonly [string, string])[] = [
  ['profile', 'sboxmgr import-config FILE.toml -f recipe.yaml makes a recipe of a profile'],
  ['clientProfile', 'a template with parameters: sboxmgr template list'],
  ['postprocessors', 'operators: sboxmgr operator list'],
  ['middleware', 'operators: sboxmgr operator list'],
];

/** The older program had `-d LEVEL` for `--debug`. */
const isOfManager = (call: Call): boolean => {
  const directory = text(call, 'directory');
  return directory !== undefined && !(/^\d$/.test(directory) && texts(call, 'url').length > 0);
};

/** `export`: the config of one subscription, or its Clash form. */
export const exportConfig = async (original: Call): Promise<number | void> => {
  if (isOfManager(original)) return await (await import('./files.ts')).exportFiles(original);
  const { call, from } = begin(
    original,
    (source) => `sboxmgr generate -u ${source} -f ${text(original, 'output') ?? 'config.json'}`,
  );
  if (text(call, 'format') === 'toml')
    throw new ProblemError('command.usage', 'no engine reads TOML', { fix: 'Leave --format away.' });
  const output = text(call, 'output') ?? 'config.json';
  const isDry = flag(call, 'dryRun') || flag(call, 'validateOnly');
  if (flag(call, 'backup') && !isDry && output !== '-') await keepOld(path.resolve(call.host.cwd, output));
  if (text(call, 'exportFormat') === 'clash') {
    const { convert } = await import('./convert.ts');
    return await convert({ ...withOptions(call, { to: 'clash', file: isDry ? '-' : output }), args: from.slice(0, 1) });
  }
  const { generateFrom } = await import('./generate.ts');
  const recipe = recipeOf(call, from);
  return await generateFrom(recipe, withOptions(call, { file: output, dryRun: isDry, to: 'sing-box' }));
};

async function keepOld(file: string): Promise<void> {
  await copyFile(file, `${file}.bak`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT')
      throw new ProblemError('command.failed', `${file}.bak: ${error.message}`, { cause: error });
  });
}

type PatchList = Recipe['patch'][number][];

function recipeOf(call: Call, from: readonly string[]): Recipe {
  const types = (text(call, 'inboundTypes') ?? '').split(',').flatMap((type) => type.trim() || []);
  const asked = new Set([
    ...types,
    ...['socks', 'http', 'tproxy'].filter((type) => text(call, `${type}Port`) !== undefined),
  ]);
  const ports = (['socks', 'http'] as const).filter((type) => asked.has(type));
  const strange = [...asked].find((type) => !['tun', 'socks', 'http', 'tproxy', 'mixed'].includes(type));
  if (strange !== undefined) throw new ProblemError('command.usage', `--inbound-types: ${strange} is not known`);
  const base = {
    subscriptions: from.map((source) => ({
      source: source === '-' || isUrl(source) ? source : path.resolve(call.host.cwd, source),
    })),
    pipeline: protocolsOut(call),
    settings: {},
    tests: [],
    tests_block: true,
  };
  const common = patches(call, asked.has('tproxy'));
  if (asked.has('tun')) {
    const params = { ...tunParams(call), ...portParams(call, ports[0]), inbound: ports.length > 0 ? 'both' : 'tun' };
    return { ...base, template: { name: 'tun-gateway', params }, patch: common };
  }
  const inbounds = ports.map((type, index) => ({
    type,
    tag: index === 0 ? 'in' : `in-${type}`,
    listen: text(call, `${type}Listen`) ?? '127.0.0.1',
    listen_port: portOf(`--${type}-port`, text(call, `${type}Port`) ?? defaultPorts[type]),
  }));
  const users = ports.flatMap((type, index): PatchList => {
    const [, username = '', password = ''] = /^([^:]+):(.+)$/.exec(text(call, `${type}Auth`) ?? '') ?? [];
    return username === '' ? [] : [{ op: 'add', path: `/inbounds/${index}/users`, value: [{ username, password }] }];
  });
  return { ...base, settings: ports.length === 0 ? mixed : { inbounds }, patch: [...users, ...common] };
}

const defaultPorts = { socks: '1080', http: '8080' } as const;
const mixed: Recipe['settings'] = { inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 2080 }] };

function tunParams(call: Call): Record<string, unknown> {
  const [address, mtu, stack] = [text(call, 'tunAddress'), text(call, 'tunMtu'), text(call, 'tunStack')];
  return {
    ...(address === undefined ? {} : { tun_address: address.split(',').map((one) => one.trim()) }),
    ...(mtu === undefined ? {} : { tun_mtu: Number(mtu) }),
    ...(stack === undefined ? {} : { tun_stack: stack }),
  };
}

/** With a network interface there is one port, for HTTP and SOCKS. */
function portParams(call: Call, type: 'socks' | 'http' | undefined): Record<string, unknown> {
  if (type === undefined) return {};
  const listen = text(call, `${type}Listen`);
  return {
    port: portOf(`--${type}-port`, text(call, `${type}Port`) ?? defaultPorts[type]),
    ...(listen === undefined ? {} : { listen }),
  };
}

function protocolsOut(call: Call): Recipe['pipeline'] {
  const protocol = (text(call, 'excludeOutbounds') ?? '').split(',').flatMap((one) => one.trim() || []);
  return protocol.length === 0 ? [] : [{ operator: 'filter', drop: { protocol } }];
}

function patches(call: Call, hasTproxy: boolean): PatchList {
  const [final, dns] = [text(call, 'finalRoute') ?? 'proxy', text(call, 'dnsMode') ?? 'tunnel'];
  const listen = text(call, 'tproxyListen') ?? '127.0.0.1';
  const tproxyPort = portOf('--tproxy-port', text(call, 'tproxyPort') ?? '7895');
  const finals: Readonly<Record<string, PatchList>> = {
    proxy: [],
    auto: [],
    direct: [{ op: 'replace', path: '/route/final', value: 'direct' }],
    block: [{ op: 'add', path: '/route/rules/-', value: { action: 'reject' } }],
  };
  const found = finals[final];
  if (!found) throw new ProblemError('command.usage', `--final-route is one of ${Object.keys(finals).join(', ')}`);
  if (dns !== 'tunnel' && dns !== 'system')
    throw new ProblemError('command.usage', '--dns-mode is tunnel or system', {
      fix: 'Other DNS: --template dns-split of sboxmgr generate',
    });
  return [
    ...(hasTproxy
      ? [
          {
            op: 'add' as const,
            path: '/inbounds/-',
            value: { type: 'tproxy', tag: 'tproxy', listen, listen_port: tproxyPort },
          },
        ]
      : []),
    ...found,
    ...(dns === 'tunnel' ? [] : [{ op: 'replace' as const, path: '/dns/final', value: 'local' }]),
  ];
}

/** `list-servers`: what a subscription has. */
export const listServers = async (original: Call): Promise<void> => {
  const { call, from } = begin(original, (source) => `sboxmgr inspect ${source}`);
  const { inspect } = await import('./inspect.ts');
  await inspect({ ...call, args: from.slice(0, 1) });
};

/** `exclusions`: shows the list when it is told nothing else. */
export const exclusions = async (call: Call): Promise<void> => {
  if (flag(call, 'interactive'))
    throw new ProblemError('command.usage', 'there is no dialogue', { fix: 'sboxmgr exclusion add NAME -u URL' });
  const [added, removed] = [words(call, 'add'), words(call, 'remove')];
  const what = added.length > 0 ? 'add' : removed.length > 0 ? 'remove' : flag(call, 'clear') ? 'clear' : 'list';
  hint(call, `sboxmgr exclusion ${what}`);
  const handlers = await import('./exclusions.ts');
  const names = what === 'add' && texts(call, 'url').length === 0 ? optionalSources(call) : texts(call, 'url');
  await handlers[what]({ ...withOptions(call, { from: names }), args: what === 'add' ? added : removed });
};

const words = (call: Call, option: string): string[] =>
  texts(call, option).flatMap((list) => list.split(',').flatMap((one) => one.trim() || []));

/** Names are looked up where an address is there; ids and hosts need none. */
const optionalSources = (call: Call): readonly string[] =>
  call.host.env['SBOXMGR_URL'] || call.host.env['SINGBOX_URL'] ? sourcesOf(call) : [];
