import { parseLink, parseSubscription, writeSubscription } from '../packages/formats/src/index.ts';
import { nodeTypes, type NodeDraft } from '../packages/formats/src/node.ts';
import type { Spellings } from '../packages/formats/src/params.ts';
import { goldenFiles, sha256, type GoldenCase } from '../packages/formats/src/testing/golden-cases.ts';
import {
  clashNames,
  clashTransports,
  clashTypeNames,
  commonNames,
  multiplexNames,
  tlsNames,
  type ClashNames,
} from '../packages/formats/src/writers/clash-names.ts';
import { singBoxFields, type Shape } from '../packages/formats/src/documents/sing-box-fields.ts';
import { documentPages, linkPages, type FormatPage } from './docs-formats-table.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: string): string => `\`${cell(text)}\``;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] => [
  `| ${head.join(' | ')} |`,
  `|${head.map(() => '---').join('|')}|`,
  ...rows.map((row) => `| ${row.join(' | ')} |`),
  '',
];

const casesOf = ({ cases }: FormatPage): readonly GoldenCase[] =>
  goldenFiles.find(({ name }) => name === cases)?.cases ?? [];

interface Outcome {
  readonly type?: string;
  readonly code?: string;
  readonly reason?: string;
}

const outcomesOf = ({ expected }: GoldenCase): readonly Outcome[] => expected as readonly Outcome[];
const givesNodes = (golden: GoldenCase): boolean =>
  outcomesOf(golden).some(({ type }) => type !== undefined) &&
  outcomesOf(golden).every(({ reason }) => reason === undefined);

const maxExamples = 3;
const maxExampleLength = 2_000;

/** The nodes of a text as the links that the writer makes of them. */
function writtenAgain(page: FormatPage, input: string): readonly string[] {
  if (page.link === undefined && page.file !== 'ssr') return [];
  const { nodes } = parseSubscription(input, { sha256 });
  return ['Written again:', '', '```written', writeSubscription(nodes, 'links').text.trimEnd(), '```', ''];
}

/** Golden cases that give nodes; the test of these pages reads them out of it again. */
function examples(page: FormatPage): readonly string[] {
  const shown = casesOf(page)
    .filter((golden) => givesNodes(golden) && golden.input.length < maxExampleLength && !golden.input.includes('```'))
    .slice(0, maxExamples);
  return shown.flatMap(({ title, input, expected }, index) => [
    `${title.charAt(0).toUpperCase()}${title.slice(1)}:`,
    '',
    '```subscription',
    input,
    '```',
    '',
    '```json',
    ...expected.map((value) => JSON.stringify(value)),
    '```',
    '',
    ...(index === 0 ? writtenAgain(page, input) : []),
  ]);
}

/** What each parameter is tried with, and what must stand beside it. */
const samples: Readonly<Record<string, readonly [value: string, beside?: string]>> = {
  name: ['My node'],
  security: ['tls'],
  sni: ['s.example.org', 'security=tls'],
  insecure: ['1', 'security=tls'],
  disable_sni: ['1', 'security=tls'],
  alpn: ['h2,http/1.1', 'security=tls'],
  fp: ['firefox', 'security=tls'],
  pbk: ['a2V5', 'security=reality'],
  sid: ['0a1b', 'security=reality&pbk=a2V5'],
  ech: ['AEn+DQBFKwAgACABWIHUGj4u', 'security=tls'],
  type: ['ws'],
  host: ['h.example.org', 'type=ws'],
  path: ['/p', 'type=ws'],
  serviceName: ['s', 'type=grpc'],
  headerType: ['http', 'type=tcp'],
  method: ['GET', 'type=http'],
  mode: ['auto', 'type=xhttp'],
  seed: ['s', 'type=kcp'],
  ed: ['2048', 'type=ws&path=/p'],
  eh: ['X-Early', 'type=ws&path=/p&ed=2048'],
  tfo: ['1'],
  mptcp: ['1'],
  udp: ['0'],
  packetEncoding: ['xudp'],
  flow: ['xtls-rprx-vision', 'security=tls'],
  encryption: ['mlkem768x25519plus.native.0rtt.key'],
  scy: ['zero'],
  aid: ['4'],
  uot: ['1'],
  uot_version: ['2', 'uot=1'],
  plugin: ['obfs-local;obfs=http'],
  obfs: ['salamander', 'obfs-password=m'],
  'obfs-password': ['m', 'obfs=salamander'],
  'obfs-min-packet-size': ['600', 'obfs=gecko&obfs-password=m'],
  'obfs-max-packet-size': ['1200', 'obfs=gecko&obfs-password=m'],
  'obfs-host': ['h.example.org', 'obfs=http'],
  mport: ['5000-6000'],
  'hop-interval': ['30'],
  up: ['100 Mbps'],
  down: ['200 Mbps'],
  auth_str: ['secret'],
  protocol: ['UDP'],
  congestion_control: ['bbr'],
  udp_relay_mode: ['quic'],
  udp_over_stream: ['1'],
  reduce_rtt: ['1'],
  heartbeat: ['10s'],
  version: ['4'],
  reuse: ['1'],
  reserved: ['1,2,3'],
  mtu: ['1280'],
  workers: ['2'],
  keepalive: ['25'],
  address: ['10.0.0.3/32'],
  allowed_ips: ['0.0.0.0/0'],
  'insecure-concurrency': ['2'],
  'extra-headers': ['X-A: b'],
  'idle-session-check-interval': ['30s'],
  'idle-session-timeout': ['30s'],
  'min-idle-session': ['2'],
  'recv-window': ['1'],
  'recv-window-conn': ['1'],
  'disable-mtu-discovery': ['1'],
};

const fieldPaths = (value: unknown, path: string): readonly (readonly [string, string])[] =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, item]) => fieldPaths(item, path === '' ? key : `${path}.${key}`))
    : [[path, JSON.stringify(value)]];

/** Which fields a parameter sets, found out by reading a link with it and without it. */
function fieldsSet(link: (query: string) => string, name: string): readonly string[] {
  const [value, beside = ''] = samples[name] ?? ['x'];
  const read = (query: string): ReadonlyMap<string, string> | undefined => {
    try {
      return new Map(fieldPaths(parseLink(link(query)) satisfies NodeDraft, ''));
    } catch {
      return undefined;
    }
  };
  const before = read(beside) ?? read('') ?? new Map<string, string>();
  const after = read(`${beside}&${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return [...(after ?? [])].filter(([path, text]) => before.get(path) !== text).map(([path]) => path);
}

const describeFields = (paths: readonly string[]): string => {
  const known = paths.filter((path) => !path.startsWith('extra.'));
  return known.length > 0
    ? known.map((path) => code(path === 'tag' ? 'tag (the name)' : path)).join(', ')
    : 'kept in `extra`';
};

/** The parameters of a link, from the table that the reader itself uses. */
function parameters(page: FormatPage): readonly string[] {
  const { link, spellings } = page;
  if (link === undefined || spellings === undefined) return [];
  const rows = [...bySpelling(spellings)].map(([name, others]) => [
    code(name),
    others.map(code).join(', '),
    describeFields(fieldsSet(link, name)),
  ]);
  return [
    '## Parameters',
    '',
    'Small and capital letters are the same. A parameter that is not in the table is kept in `extra` and written again.',
    '',
    ...table(['parameter', 'other spellings', 'field'], rows),
  ];
}

function bySpelling(spellings: Spellings): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const [spelling, name] of spellings) {
    const others = names.get(name) ?? [];
    if (spelling !== name.toLowerCase()) others.push(spelling);
    names.set(name, others);
  }
  return names;
}

const keyRows = (names: ClashNames): readonly (readonly string[])[] =>
  Object.entries(names).map(([name, [key, kind]]) => [code(key), kind, code(name)]);
const keyColumns = ['key', 'kind', 'parameter of links'];

/** Keys of Clash, from the table of the writer, which the round trips compare with the reader's. */
function clashKeys(): readonly string[] {
  const parts: readonly (readonly [string, ClashNames])[] = [
    ['Every proxy', commonNames],
    ['TLS', tlsNames],
    ['Multiplexing', multiplexNames],
  ];
  const isOwn = (name: string): boolean => !parts.some(([, names]) => Object.hasOwn(names, name));
  return [
    '## Keys',
    '',
    ...parts.flatMap(([title, names]) => [`### ${title}`, '', ...table(keyColumns, keyRows(names))]),
    ...nodeTypes.flatMap((type) => {
      const names = clashNames[type];
      if (names === undefined) return [];
      const own = Object.fromEntries(Object.entries(names).filter(([name]) => isOwn(name)));
      const shared = parts.slice(1).filter(([, part]) => Object.keys(part).every((name) => Object.hasOwn(names, name)));
      const also = shared.length === 0 ? [] : [`And the keys of: ${shared.map(([title]) => title).join(', ')}.`, ''];
      return [`### ${type}: \`type: ${clashTypeNames[type]}\``, '', ...table(keyColumns, keyRows(own)), ...also];
    }),
    '### Transports',
    '',
    ...table(
      ['transport', 'keys'],
      Object.entries(clashTransports).map(([type, names]) => [
        code(type),
        Object.values(names)
          .map(([key]) => code(key))
          .join(', ') || '',
      ]),
    ),
  ];
}

function singBoxKeys(): readonly string[] {
  const show = (shape: Shape): readonly string[] =>
    typeof shape === 'string' ? [] : Object.keys('fields' in shape ? shape.fields : shape.listOf);
  const rows = Object.entries(singBoxFields).map(([type, fields]) => [
    code(type),
    Object.keys(fields).map(code).join(', '),
  ]);
  const parts = Object.entries({ ...singBoxFields.vless, ...singBoxFields.hysteria2, ...singBoxFields.wireguard })
    .filter(([, shape]) => typeof shape !== 'string')
    .map(([name, shape]) => [code(name), show(shape).map(code).join(', ')]);
  return ['## Fields', '', ...table(['type', 'fields'], rows), ...table(['part', 'its fields'], parts)];
}

/** What the golden cases of a page expect to be rejected. */
function refused(page: FormatPage): readonly string[] {
  const rows = new Map<string, readonly string[]>();
  for (const golden of casesOf(page)) {
    for (const { code: problem, reason } of outcomesOf(golden)) {
      if (problem !== undefined && reason !== undefined) rows.set(reason, [code(problem), cell(reason)]);
    }
  }
  if (rows.size === 0) return [];
  return ['## What is refused', '', ...table(['code', 'why'], [...rows.values()])];
}

const head = (title: string): readonly string[] => [
  `# ${title}`,
  '',
  'Made by `node scripts/generate-docs.ts` from the code and its golden cases; do not edit.',
  '',
];

function formatPage(page: FormatPage): string {
  const facts = [
    `Read: yes. Written: ${page.isWritten ? 'yes' : 'no'}.`,
    ...(page.engines === undefined ? [] : [`Engines that run it: ${page.engines}.`]),
  ];
  const sources = page.sources.length === 0 ? [] : ['## Source', '', ...page.sources.map((url) => `- <${url}>`), ''];
  return [
    ...head(page.title),
    ...page.about,
    '',
    facts.join(' '),
    '',
    '## Examples',
    '',
    ...examples(page),
    ...parameters(page),
    ...(page.file === 'clash' ? clashKeys() : []),
    ...(page.file === 'sing-box' ? singBoxKeys() : []),
    ...refused(page),
    ...sources,
  ].join('\n');
}

function indexPage(): string {
  const row = (page: FormatPage): readonly string[] => [
    `[${cell(page.title)}](${page.file}.md)`,
    'yes',
    page.isWritten ? 'yes' : 'no',
    page.engines ?? 'as its nodes',
  ];
  const columns = ['format', 'read', 'written', 'engines that run it'];
  return [
    ...head('Formats'),
    'What a subscription may look like, and what its nodes may be. The form is found out by itself; what cannot be read is',
    'rejected line by line with a reason, and the rest is kept. As a library: [packages/formats](../../packages/formats/README.md).',
    '',
    '## Links',
    '',
    ...table(columns, linkPages.map(row)),
    '## Documents',
    '',
    ...table(columns, documentPages.map(row)),
  ].join('\n');
}

/** The pages of docs/formats by file name. */
export const formatPages = (): Readonly<Record<string, string>> =>
  Object.fromEntries([
    ['README.md', indexPage()],
    ...[...linkPages, ...documentPages].map((page) => [`${page.file}.md`, formatPage(page)] as const),
  ]);
