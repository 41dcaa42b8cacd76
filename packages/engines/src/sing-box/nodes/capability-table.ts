import type { NodeType, Transport } from '@sbox/formats';
import type { NodeTag, Profile } from '../profile.ts';

/** What a build of sing-box must have for one protocol, transport, plugin or feature. Nothing set: every one has it. */
export interface CapabilityRule {
  /** First 1.x that has it. */
  readonly since?: number;
  /** Build tags, all of which it needs. */
  readonly tags?: readonly NodeTag[];
  /** No version and no build has it. */
  readonly never?: true;
  /** It only tunes: a node runs without it where it is not there. */
  readonly optional?: true;
  /** What people call it, where that is not the name of a field. */
  readonly label?: string;
}

type Rules<Name extends string> = Readonly<Record<Name, CapabilityRule>>;

const protocol: Rules<NodeType> = {
  shadowsocks: {},
  vmess: {},
  vless: {},
  trojan: {},
  socks: {},
  http: {},
  ssh: {},
  hysteria: { tags: ['with_quic'] },
  hysteria2: { tags: ['with_quic'] },
  tuic: { tags: ['with_quic'] },
  // Without gVisor sing-box would need an interface of the system.
  wireguard: { tags: ['with_wireguard', 'with_gvisor'] },
  anytls: { since: 12 },
  naive: { since: 13, tags: ['with_naive_outbound'] },
  snell: { since: 14 },
  shadowsocksr: { never: true },
  juicity: { never: true },
  mieru: { never: true },
  trusttunnel: { never: true },
  'h2-connect': { never: true },
  masque: { never: true },
  sudoku: { never: true },
  tailscale: { never: true },
  'gost-relay': { never: true },
};

const transport: Rules<Transport['type']> = {
  ws: {},
  http: {},
  grpc: {},
  httpupgrade: {},
  quic: { tags: ['with_quic'] },
  xhttp: { never: true },
  mkcp: { never: true },
};

/** SIP003 plugins of shadowsocks. One that is not here is one that sing-box does not have. */
const plugin = {
  'obfs-local': {},
  'v2ray-plugin': {},
  'xray-plugin': { never: true },
  'gost-plugin': { never: true },
  kcptun: { never: true },
  cloak: { never: true },
  'shadow-tls': { never: true },
  restls: { never: true },
} as const satisfies Rules<string>;

const feature = {
  'tls.utls': { tags: ['with_utls'] },
  'tls.utls.chrome_pq_psk': { since: 12, label: 'tls.utls.fingerprint chrome_pq_psk' },
  'tls.reality': { tags: ['with_utls'] },
  // 1.11 has it in builds of their own only, under a tag that went away.
  'tls.ech': { since: 12 },
  'tls.ech.query_server_name': { since: 13 },
  'tls.fragment': { since: 12 },
  'tls.fragment_fallback_delay': { since: 12 },
  'tls.record_fragment': { since: 12 },
  'tls.curve_preferences': { since: 13 },
  'tls.certificate_public_key_sha256': { since: 13 },
  multiplex: {},
  udp_over_tcp: {},
  detour: {},
  shadow_tls: { label: 'ShadowTLS' },
  'vless.flow': { label: 'flow xtls-rprx-vision' },
  'vless.encryption': { never: true, label: 'encryption' },
  'hysteria.server_ports': { since: 12, label: 'server_ports of hysteria' },
  'hysteria2.server_ports': { label: 'server_ports' },
  'hysteria2.hop_interval_max': { since: 14, optional: true, label: 'hop_interval_max' },
  'hysteria2.obfs.salamander': { label: 'obfs.type salamander' },
  'hysteria2.obfs.gecko': { since: 14, label: 'obfs.type gecko' },
  'hysteria2.realm': { since: 14, label: 'realm' },
  'tuic.v4': { never: true, label: 'TUIC before version 5' },
  'anytls.tcp_fast_open': { never: true, optional: true, label: 'tcp_fast_open of anytls' },
  'snell.v3': { never: true, label: 'Snell before version 4' },
  'wireguard.amnezia': { never: true, label: 'AmneziaWG' },
} as const satisfies Rules<string>;

/**
 * The one place that says which sing-box has what; the table of fields asks it. Each row was tried with the program, and
 * the tests try it again. A feature whose name has a dot needs also what stands before the dot.
 */
export const capabilityTable = { protocol, transport, plugin, feature } as const;

export type CapabilityKind = keyof typeof capabilityTable;
export type FeatureName = keyof typeof feature;

/** All that one row needs, by itself and by what it is a part of. */
export interface CompleteRule extends CapabilityRule {
  readonly kind: CapabilityKind;
  readonly name: string;
  /** In the order in which somebody should hear of them: what nobody has comes first. */
  readonly steps: readonly LabelledRule[];
}

interface LabelledRule extends CapabilityRule {
  readonly label: string;
}

const kindLabels: Readonly<Record<CapabilityKind, string>> = {
  protocol: '',
  feature: '',
  transport: 'transport.type ',
  plugin: 'plugin ',
};

function labelled(kind: CapabilityKind, name: string, rule: CapabilityRule): LabelledRule {
  const prefix = kindLabels[kind];
  return { label: prefix === '' ? name : `${prefix}${JSON.stringify(name.slice(0, 40))}`, ...rule };
}

function stepsOf(kind: CapabilityKind, name: string): LabelledRule[] {
  const rules: Partial<Rules<string>> = capabilityTable[kind];
  const own = labelled(kind, name, rules[name] ?? { never: true });
  if (kind !== 'feature') return [own];
  const parts = name.split('.');
  const [owner = ''] = parts;
  const wholes = parts.slice(1).map((_, count) => parts.slice(0, count + 1).join('.'));
  const above = [
    ...(owner in protocol ? [labelled('protocol', owner, protocol[owner as NodeType])] : []),
    ...wholes.flatMap((whole) => (whole in feature ? [labelled('feature', whole, feature[whole as FeatureName])] : [])),
  ];
  return own.never === true ? [own, ...above] : [...above, own];
}

function complete(kind: CapabilityKind, name: string): CompleteRule {
  const steps = stepsOf(kind, name);
  const since = Math.max(0, ...steps.map((step) => step.since ?? 0));
  return {
    kind,
    name,
    steps,
    ...(since === 0 ? {} : { since }),
    tags: [...new Set(steps.flatMap(({ tags = [] }) => tags))],
    ...(steps.some(({ never }) => never) ? { never: true } : {}),
    ...(steps.some(({ optional }) => optional) ? { optional: true } : {}),
  };
}

const completed: readonly CompleteRule[] = Object.entries(capabilityTable).flatMap(([kind, rules]) =>
  Object.keys(rules).map((name) => complete(kind as CapabilityKind, name)),
);
const byName = new Map(completed.map((rule) => [`${rule.kind} ${rule.name}`, rule]));

/** The rows of the table, in its order. */
export const capabilityRules = completed;

/** What is lacking for something, in words that name no value of a node; undefined when nothing is. */
export function lacking(kind: CapabilityKind, name: string, profile: Profile): string | undefined {
  const { steps } = byName.get(`${kind} ${name}`) ?? { steps: stepsOf(kind, name) };
  for (const { label, never, since = 0, tags = [] } of steps) {
    if (never === true) return `sing-box has no ${label}`;
    if (profile.minor < since) return `${label} needs sing-box 1.${since} or newer`;
    const tag = tags.find((needed) => !profile.tags.has(needed));
    if (tag !== undefined) return `${label} needs a build of sing-box with ${tag}`;
  }
  return undefined;
}
