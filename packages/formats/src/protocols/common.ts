import { ProblemError } from '@sbox/core';
import { foreignTypes, type Multiplex, type NodeDraft, type NodeType } from '../node.ts';
import { setFields, takeFlag, takeInt, takeText, wholeNumber, type Params } from '../params.ts';
import { readPort, readServer } from './address.ts';
import { takeShadowTls } from './shadow-tls.ts';

/** Makes a node from settings under their canonical names. @throws ProblemError `node.*`. */
export type ReadNode = (params: Params) => NodeDraft;

export type DraftFields = { readonly [Key in keyof NodeDraft]?: NodeDraft[Key] | undefined };

/** Type, server and port: what every node begins with. */
export function startNode(type: NodeType, params: Params, defaultPort?: number): NodeDraft {
  const server = readServer(takeText(params, 'server'));
  return { id: '', type, server, server_port: readPort(takeText(params, 'port'), defaultPort) };
}

export function requireText(params: Params, name: string, what: string): string {
  const value = takeText(params, name);
  if (value === undefined) throw new ProblemError('node.missing-field', `${what} is missing`);
  return value;
}

const multiplexable: ReadonlySet<NodeType> = new Set(['shadowsocks', 'vmess', 'vless', 'trojan']);
/** Types that sing-box has no `network` for: with them `udp=false` is only kept. */
const withoutNetwork: ReadonlySet<NodeType> = new Set<NodeType>([
  'wireguard',
  'anytls',
  'http',
  'ssh',
  'naive',
  ...foreignTypes,
]);

/** Adds what all types share, and at the end everything that nobody understood as `extra`. */
export function finishNode(draft: NodeDraft, params: Params, fields: DraftFields): NodeDraft {
  setFields<DraftFields>(draft, fields);
  const tag = takeText(params, 'name');
  if (tag !== undefined) draft.tag = tag;
  // Most nodes have nothing left here.
  if (params.size === 0) return draft;
  setFields<DraftFields>(draft, {
    multiplex: multiplexable.has(draft.type) ? takeMultiplex(params) : undefined,
    network: takeNetwork(params, draft.type),
    tcp_fast_open: takeFlag(params, 'tfo') || undefined,
    tcp_multi_path: takeFlag(params, 'mptcp') || undefined,
    shadow_tls: takeShadowTls(params),
  });
  if (params.size > 0) draft.extra = Object.fromEntries(params);
  return draft;
}

/** Without UDP only where the source says so in so many words; what sing-box has no field for stays as it was said. */
function takeNetwork(params: Params, type: NodeType): string | undefined {
  const udp = params.get('udp');
  if (udp === undefined || udp === '' || takeFlag(params, 'udp') !== false) return undefined;
  if (!withoutNetwork.has(type)) return 'tcp';
  params.set('udp', udp);
  return undefined;
}

function takeMultiplex(params: Params): Multiplex | undefined {
  if (takeFlag(params, 'smux.enabled') !== true) return undefined;
  const hasBrutal = takeFlag(params, 'smux.brutal-opts.enabled') === true;
  return setFields<{ -readonly [Key in keyof Multiplex]: Multiplex[Key] }>(
    { enabled: true },
    {
      protocol: takeText(params, 'smux.protocol'),
      max_connections: takeInt(params, 'smux.max-connections'),
      min_streams: takeInt(params, 'smux.min-streams'),
      max_streams: takeInt(params, 'smux.max-streams'),
      padding: takeFlag(params, 'smux.padding'),
      brutal: hasBrutal
        ? setFields<{ enabled: boolean; up_mbps?: number; down_mbps?: number }>(
            { enabled: true },
            { up_mbps: takeMbps(params, 'smux.brutal-opts.up'), down_mbps: takeMbps(params, 'smux.brutal-opts.down') },
          )
        : undefined,
    },
  );
}

const megabits: Readonly<Record<string, number>> = { '': 1e-6, k: 1e-3, m: 1, g: 1e3, t: 1e6 };

/** A speed in Mbit/s, rounded up: `100`, `100 Mbps`, `1gbps`, `12 MBps` (bytes). What is no speed stays where it is. */
export function takeMbps(params: Params, name: string): number | undefined {
  const text = params.get(name);
  if (text === undefined) return undefined;
  const match = /^(\d{1,9}(?:\.\d{1,6})?)\s*(?:([kmgt]?)(bps|Bps|B\/s|b\/s|bit\/s)|([kmgt]))?$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, amount, prefix, unit, bare] = match;
  const factor = unit === undefined && bare === undefined ? 1 : (megabits[(prefix ?? bare ?? '').toLowerCase()] ?? 1);
  const mbps = Math.ceil(Number(amount) * factor * (unit?.startsWith('B') ? 8 : 1));
  if (mbps < 1 || mbps > 1_000_000) return undefined;
  params.delete(name);
  return mbps;
}

/** A duration in sing-box's form; a bare number counts in `unit`. What is none stays where it is. */
export function takeDuration(params: Params, name: string, unit: 's' | 'ms'): string | undefined {
  const text = params.get(name)?.trim();
  if (text === undefined) return undefined;
  const bare = wholeNumber(text);
  const duration = bare === undefined ? text : `${bare}${unit}`;
  if (!/^(?:\d{1,9}(?:\.\d{1,6})?(?:ms|s|m|h))+$/.test(duration) || bare === 0) return undefined;
  params.delete(name);
  return duration;
}
