import type { Multiplex, Node, NodeType, Tls, Transport } from '@sbox/formats';
import type { OperatorOf } from '@sbox/protocol/pipeline';
import { invalid, type CompilePattern } from '../regex.ts';
import { matchTest, type Step } from './step.ts';

type Settings = Omit<OperatorOf<'set'>, 'operator' | 'match' | 'enabled' | 'note'>;
type SettingName = Exclude<keyof Settings, 'early_data_header'>;
type Given<Name extends SettingName> = Exclude<Settings[Name], undefined>;

/** Gives the node with the field set, or nothing where a node cannot have it. */
type Setter<Name extends SettingName> = (node: Node, value: Given<Name>, settings: Settings) => Node | undefined;

const overUdp: ReadonlySet<NodeType> = new Set(['hysteria', 'hysteria2', 'tuic', 'wireguard', 'juicity', 'masque']);
const withMultiplex: ReadonlySet<NodeType> = new Set(['shadowsocks', 'vmess', 'vless', 'trojan']);
/** Can be told to carry only one of TCP and UDP. */
const withNetwork: ReadonlySet<NodeType> = new Set([
  'shadowsocks',
  'socks',
  'vmess',
  'vless',
  'trojan',
  'hysteria',
  'hysteria2',
  'tuic',
]);
const withUdpOverTcp: ReadonlySet<NodeType> = new Set(['shadowsocks', 'socks', 'naive']);

function omit<T extends object>(from: T, ...names: readonly (keyof T)[]): T {
  const copy = { ...from };
  for (const name of names) delete copy[name];
  return copy;
}

const hasReality = ({ tls }: Node): boolean => tls?.reality?.enabled === true;
const overTcp = (node: Node): boolean => !overUdp.has(node.type);

/** Changes TLS where it is on. */
const onTls = (node: Node, change: (tls: Tls) => Tls): Node | undefined =>
  node.tls?.enabled === true ? { ...node, tls: change(node.tls) } : undefined;

const setters: { readonly [Name in SettingName]-?: Setter<Name> } = {
  // REALITY proves the server by its key; there is nothing to switch off.
  insecure: (node, value) =>
    hasReality(node) ? undefined : onTls(node, (tls) => (value ? { ...tls, insecure: true } : omit(tls, 'insecure'))),
  fingerprint: (node, value) => {
    if (!overTcp(node) || (value === false && hasReality(node))) return undefined;
    return onTls(node, (tls) =>
      value === false ? omit(tls, 'utls') : { ...tls, utls: { enabled: true, fingerprint: value } },
    );
  },
  alpn: (node, value) => onTls(node, (tls) => (value === false ? omit(tls, 'alpn') : { ...tls, alpn: value })),
  server_name: (node, value) => onTls(node, (tls) => ({ ...omit(tls, 'disable_sni'), server_name: value })),
  tls_min_version: (node, value) => onTls(node, (tls) => ({ ...tls, min_version: value })),
  tls_fragment: (node, value) =>
    overTcp(node) ? onTls(node, (tls) => (value ? { ...tls, fragment: true } : omit(tls, 'fragment'))) : undefined,
  udp: (node, value) => {
    if (!withNetwork.has(node.type)) return undefined;
    if (!value) return { ...node, network: 'tcp' };
    return node.network === 'tcp' ? omit(node, 'network') : node;
  },
  udp_over_tcp: (node, value) => {
    if (!withUdpOverTcp.has(node.type)) return undefined;
    return value ? { ...node, udp_over_tcp: true } : omit(node, 'udp_over_tcp');
  },
  tcp_fast_open: (node, value) => (overTcp(node) ? flag(node, 'tcp_fast_open', value) : undefined),
  tcp_multi_path: (node, value) => (overTcp(node) ? flag(node, 'tcp_multi_path', value) : undefined),
  connect_timeout: (node, value) => ({ ...node, connect_timeout: value }),
  multiplex: (node, value) => {
    // The flow of vless splices connections, which cannot be shared then.
    if (!withMultiplex.has(node.type) || node.flow) return undefined;
    return value === false ? omit(node, 'multiplex') : { ...node, multiplex: { enabled: true, ...defined(value) } };
  },
  early_data: (node, value, { early_data_header = 'Sec-WebSocket-Protocol' }) => {
    if (node.transport?.type !== 'ws') return undefined;
    const plain: Transport = omit(node.transport, 'max_early_data', 'early_data_header_name');
    return {
      ...node,
      transport:
        value === false ? plain : { ...plain, max_early_data: value, early_data_header_name: early_data_header },
    };
  },
  packet_encoding: (node, value) => {
    if (node.type !== 'vmess' && node.type !== 'vless') return undefined;
    return value === false ? omit(node, 'packet_encoding') : { ...node, packet_encoding: value };
  },
  vmess_aead: (node) => (node.type === 'vmess' ? omit(node, 'alter_id') : undefined),
  up_mbps: (node, value) => (isHysteria(node) ? { ...node, up_mbps: value } : undefined),
  down_mbps: (node, value) => (isHysteria(node) ? { ...node, down_mbps: value } : undefined),
};

const isHysteria = ({ type }: Node): boolean => type === 'hysteria' || type === 'hysteria2';

const flag = (node: Node, name: 'tcp_fast_open' | 'tcp_multi_path', value: boolean): Node =>
  value ? { ...node, [name]: true } : omit(node, name);

/** Without the fields that are set to nothing. */
const defined = (value: Exclude<Given<'multiplex'>, false>): Partial<Multiplex> =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined));

export function compileSet({ match, ...operator }: OperatorOf<'set'>, pattern: CompilePattern): Step {
  const changes = (Object.keys(setters) as SettingName[]).flatMap((name) => {
    const value = operator[name];
    const set = setters[name] as Setter<SettingName>;
    return value === undefined ? [] : [{ name, apply: (node: Node) => set(node, value, operator) }];
  });
  if (changes.length === 0) throw invalid('it sets nothing');
  if (operator.early_data_header !== undefined && typeof operator.early_data !== 'number')
    throw invalid('early_data_header needs early_data');
  const isMatch = matchTest(match, pattern);
  return (nodes, { note }) =>
    nodes.map((piped) => {
      if (!isMatch(piped)) return piped;
      const done: string[] = [];
      let { node } = piped;
      for (const { name, apply } of changes) {
        const next = apply(node);
        if (next === undefined || next === node) continue;
        node = next;
        done.push(name);
      }
      if (done.length === 0) return piped;
      note(piped, 'changed', () => `got ${done.join(', ')}`);
      return { ...piped, node };
    });
}
