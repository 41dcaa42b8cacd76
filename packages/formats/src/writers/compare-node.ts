import { ProblemError } from '@sbox/core';
import type { Node, NodeDraft, NodeFields } from '../node.ts';
import { normaliseName } from '../text/names.ts';
import { readPluginOptions } from '../protocols/shadowsocks.ts';

/** What writing a node in a form and reading it again would change. */
export interface Difference {
  /** Fields that are lost or changed; without them it would be another node. */
  readonly lost: readonly string[];
  /** Fields that only tune, and settings of other formats: the node works without them. */
  readonly reduced: readonly string[];
}

/** Fields that the client may choose as it likes; without them an engine takes its own default. */
const tuning: ReadonlySet<string> = new Set(
  `tcp_fast_open tcp_multi_path udp_fragment connect_timeout multiplex global_padding authenticated_length packet_encoding
  up_mbps down_mbps recv_window recv_window_conn disable_mtu_discovery hop_interval hop_interval_max
  congestion_control udp_relay_mode heartbeat zero_rtt_handshake
  idle_session_check_interval idle_session_timeout min_idle_session
  mtu workers listen_port udp_timeout client_version host_key_algorithms insecure_concurrency quic_congestion_control reuse
  transport.idle_timeout transport.ping_timeout transport.permit_without_stream transport.max_early_data
  transport.early_data_header_name tls.min_version tls.max_version tls.cipher_suites tls.curve_preferences tls.utls
  shadow_tls.tls.utls tls.fragment tls.fragment_fallback_delay tls.record_fragment`
    .trim()
    .split(/\s+/),
);

/** What a reader fills in where the source says nothing. */
const defaults: Readonly<Record<string, unknown>> = { security: 'auto', version: '5' };

/** Not part of what is compared: the name, and what follows from the type. */
const ignored: ReadonlySet<string> = new Set(['id', 'tag', 'once']);

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads what was written and compares; what its own reader refuses is lost. */
export function readBack(node: Node, read: () => NodeDraft): Difference {
  try {
    const draft = read();
    const { lost, reduced } = compareNodes(node, draft);
    return { lost: normaliseName(draft.tag ?? '') === node.tag ? lost : [...lost, 'tag'], reduced };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { lost: [`everything (${error.message})`], reduced: [] };
  }
}

/** Compares a node with what was read back; `detour` of both must be of one kind (a name, or an id). */
export function compareNodes(node: NodeFields, back: NodeFields): Difference {
  const paths: string[] = [];
  for (const field of new Set([...Object.keys(node), ...Object.keys(back)]) as Set<keyof NodeFields>) {
    // With ranges of ports, mieru has no place for a port beside them, and does not use it.
    if (field === 'server_port' && node.type === 'mieru' && node.server_ports && back.server_port) continue;
    if (!ignored.has(field) && field !== 'extra') collect(node[field], back[field], field, paths);
  }
  const extra = Object.entries(node.extra ?? {}).flatMap(([name, value]) =>
    back.extra?.[name] === value ? [] : [`extra.${name}`],
  );
  return {
    lost: paths.filter((path) => !isTuning(path)),
    reduced: [...paths.filter(isTuning), ...extra],
  };
}

const isTuning = (path: string): boolean => {
  const names = path.split('.');
  return names.some((_, index) => tuning.has(names.slice(0, index + 1).join('.')));
};

function collect(one: unknown, other: unknown, path: string, paths: string[]): void {
  const a = switchedOn(one) ?? defaults[path];
  const b = switchedOn(other) ?? defaults[path];
  if (isFields(a) && isFields(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) collect(a[key], b[key], `${path}.${key}`, paths);
  } else if (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every(isFields)) {
    for (const [index, item] of a.entries()) collect(item, b[index], path, paths);
  } else if (JSON.stringify(comparable(a, path)) !== JSON.stringify(comparable(b, path))) paths.push(path);
}

/** A part that is switched off is the same as none. */
const switchedOn = (value: unknown): unknown =>
  value === false || (isFields(value) && value['enabled'] === false) ? undefined : value;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration like `1m30s`; undefined when it is none. */
export function durationMs(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,6})?(?:ms|s|m|h))+$/.test(text)) return undefined;
  return [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)].reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (unitMs[unit] ?? 0),
    0,
  );
}

const durations: ReadonlySet<string> = new Set(
  'hop_interval hop_interval_max heartbeat idle_session_check_interval idle_session_timeout udp_timeout connect_timeout'.split(
    ' ',
  ),
);

const isFrame = (line: unknown): boolean => String(line).startsWith('-----');

/** Without what v2ray-plugin takes by itself. */
const pluginOptions = (text: string): readonly (readonly [string, string])[] =>
  readPluginOptions(text).filter(([key, value]) => key !== 'mode' || value !== 'websocket');

/** Two ways to write the same value become one. */
function comparable(value: unknown, path: string): unknown {
  if (durations.has(path) && typeof value === 'string') return durationMs(value) ?? value;
  if (path === 'plugin_opts') return pluginOptions(typeof value === 'string' ? value : '');
  if (path === 'tls.ech.config' && Array.isArray(value)) return value.filter((line) => !isFrame(line)).join('');
  if (path === 'udp_over_tcp' && isFields(value) && value['version'] === undefined) return true;
  // The addresses of a tunnel have no order, and a list of one host name is that host name.
  if (path === 'address' && Array.isArray(value)) return value.map(String).toSorted((a, b) => a.localeCompare(b));
  if (path === 'transport.host') return [value].flat();
  if (path === 'server' && typeof value === 'string') return value.toLowerCase();
  // The last line of a PEM text ends with or without a line feed.
  if (path === 'private_key' && typeof value === 'string') return value.trim();
  return value;
}
