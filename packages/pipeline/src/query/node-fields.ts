import { nodeTypes, type Node } from '@sbox/formats';
import { securityWords, transportWords } from '@sbox/protocol/pipeline';
import { invalid } from '../regex.ts';
import { networkTest, readNetwork, type Network } from '../networks.ts';
import type { PipedNode } from '../piped-node.ts';

export type NodeTest = (piped: PipedNode) => boolean;
export type Value = string | number | boolean;

const protocolAliases: Readonly<Record<string, string>> = {
  ss: 'shadowsocks',
  ssr: 'shadowsocksr',
  hy: 'hysteria',
  hy2: 'hysteria2',
  wg: 'wireguard',
  socks5: 'socks',
  https: 'http',
};

/** No UDP goes through these, whatever the source says. */
const withoutUdp: ReadonlySet<string> = new Set(['http', 'ssh', 'h2-connect']);

const securityOf = ({ tls }: Node): string => {
  if (tls?.enabled !== true) return 'none';
  return tls.reality?.enabled === true ? 'reality' : 'tls';
};

const carriesUdp = ({ type, network, udp_over_tcp }: Node): boolean => {
  if (network === 'tcp' || withoutUdp.has(type)) return false;
  return type !== 'naive' || Boolean(udp_over_tcp);
};

const hasCredentials = ({ username, user, password, uuid, private_key, psk, auth, auth_str, obfs }: Node): boolean =>
  [username, user, password, uuid, private_key, psk, auth, auth_str].some(Boolean) || typeof obfs === 'object';

const cipherOf = ({ type, method, security }: Node): string => {
  if (type === 'vmess') return (security ?? 'auto').toLowerCase();
  return (method ?? '').toLowerCase();
};

interface TextField {
  readonly kind: 'text';
  readonly of: (piped: PipedNode) => string | readonly string[];
  /** How a wanted value is written in nodes; refuses what no node can have. */
  readonly read: (value: string) => string;
}
interface PortField {
  readonly kind: 'port';
}
interface FlagField {
  readonly kind: 'flag';
  readonly of: (node: Node) => boolean;
}
interface HostField {
  readonly kind: 'host';
}

const asIs = (value: string): string => value;
const oneOf =
  (what: string, known: readonly string[], aliases: Readonly<Record<string, string>> = {}) =>
  (value: string): string => {
    const word = value.toLowerCase();
    const name = Object.hasOwn(aliases, word) ? (aliases[word] ?? word) : word;
    if (!known.includes(name)) throw invalid(`"${value}" is not a ${what}; known are ${known.join(', ')}`);
    return name;
  };

function readCountry(value: string): string {
  if (value.toLowerCase() === 'none') return 'none';
  if (!/^[a-z]{2}$/i.test(value)) throw invalid(`"${value}" is not a country code of two letters, nor none`);
  const code = value.toUpperCase();
  return code === 'UK' ? 'GB' : code;
}

/** What queries and expressions can ask of a node; the only place that knows. */
export const nodeFields = {
  id: { kind: 'text', of: ({ node }) => node.id, read: asIs },
  name: { kind: 'text', of: ({ node }) => node.tag, read: asIs },
  protocol: { kind: 'text', of: ({ node }) => node.type, read: oneOf('protocol', nodeTypes, protocolAliases) },
  country: { kind: 'text', of: ({ country }) => country ?? 'none', read: readCountry },
  label: { kind: 'text', of: ({ labels }) => labels, read: asIs },
  subscription: { kind: 'text', of: ({ subscription }) => subscription, read: asIs },
  transport: {
    kind: 'text',
    of: ({ node }) => node.transport?.type ?? 'tcp',
    read: oneOf('transport', transportWords),
  },
  security: { kind: 'text', of: ({ node }) => securityOf(node), read: oneOf('security', securityWords) },
  cipher: { kind: 'text', of: ({ node }) => cipherOf(node), read: (value) => value.toLowerCase() },
  host: { kind: 'host' },
  port: { kind: 'port' },
  insecure: { kind: 'flag', of: ({ tls }) => tls?.enabled === true && tls.insecure === true },
  udp: { kind: 'flag', of: carriesUdp },
  credentials: { kind: 'flag', of: hasCredentials },
} as const satisfies Readonly<Record<string, TextField | PortField | FlagField | HostField>>;

export type FieldName = keyof typeof nodeFields;

export const isFieldName = (name: string): name is FieldName => Object.hasOwn(nodeFields, name);

/** The texts of a field that a regular expression is looked for in. */
export function textsOf(name: FieldName): ((piped: PipedNode) => string | readonly string[]) | undefined {
  const row: TextField | PortField | FlagField | HostField = nodeFields[name];
  if (row.kind === 'host') return ({ node }) => node.server;
  return row.kind === 'text' ? row.of : undefined;
}

/**
 * Whether a node has one of the values.
 * @throws ProblemError `pipeline.invalid` for values that the field cannot have
 */
export function valueTest(name: FieldName, values: readonly Value[]): NodeTest {
  const row: TextField | PortField | FlagField | HostField = nodeFields[name];
  switch (row.kind) {
    case 'text': {
      const wanted = new Set(values.map((value) => row.read(String(value))));
      return (piped) => {
        const found = row.of(piped);
        return typeof found === 'string' ? wanted.has(found) : found.some((one) => wanted.has(one));
      };
    }
    case 'flag': {
      const wanted = new Set(values.map((value) => readFlag(name, value)));
      return ({ node }) => wanted.has(row.of(node));
    }
    case 'port': {
      const isIn = portTest(values.map(readPorts));
      return ({ node }) => isIn(node.server_port);
    }
    case 'host':
    default:
      return hostTest(values.map(String));
  }
}

function readFlag(name: string, value: Value): boolean {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw invalid(`${name} is true or false, not "${value}"`);
}

type Ports = readonly [low: number, high: number];

/** A list that is long is looked up in a table of all ports. */
const fewRanges = 16;

function portTest(ranges: readonly Ports[]): (port: number) => boolean {
  if (ranges.length <= fewRanges) return (port) => ranges.some(([low, high]) => port >= low && port <= high);
  const wanted = new Uint8Array(65_536);
  for (const [low, high] of ranges) wanted.fill(1, low, high + 1);
  return (port) => wanted[port] === 1;
}

function readPorts(value: Value): Ports {
  const [low, high = low, ...rest] = String(value).split('-').map(Number);
  const isPort = (port: number | undefined): port is number => Number.isInteger(port) && port! >= 1 && port! <= 65_535;
  if (!isPort(low) || !isPort(high) || rest.length > 0 || low > high)
    throw invalid(`"${value}" is not a port or a range as 8000-8999`);
  return [low, high];
}

/** Hosts by name, `*.domain` for all below it, and networks. */
function hostTest(patterns: readonly string[]): NodeTest {
  const exact = new Set<string>();
  const domains = new Set<string>();
  const networks: Network[] = [];
  for (const pattern of patterns) {
    const host = pattern.toLowerCase().replace(/^\[(.*)\]$/, '$1');
    if (host.includes('/')) {
      const network = readNetwork(host);
      if (network === undefined) throw invalid(`"${pattern}" is not a network as 10.0.0.0/8`);
      networks.push(network);
    } else if (host.startsWith('*.')) domains.add(host.slice(2));
    else if (host.includes('*')) throw invalid(`"${pattern}": a star stands only in front, as *.example.com`);
    else exact.add(host);
  }
  const isInNetwork = networkTest(networks);
  return ({ node }) => {
    const host = node.server.toLowerCase();
    return exact.has(host) || isBelow(host, domains) || isInNetwork(host);
  };
}

/** Whether the host is below one of the domains; a step for each of its labels, however many domains there are. */
function isBelow(host: string, domains: ReadonlySet<string>): boolean {
  if (domains.size === 0) return false;
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1))
    if (domains.has(host.slice(dot + 1))) return true;
  return false;
}
