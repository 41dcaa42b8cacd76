import { asRecord, recordsIn, tagOf, textsIn, type Json } from '../document.ts';
import { createIpSet, parseIp, parsePrefix, type Ip } from './ip-ranges.ts';

/** One connection that is asked about. What is left out is not known; a rule that needs it answers `unknown`. */
export interface Flow {
  /** The domain that the client asks for. With `ip`: the name that sniffing or fake addresses find. */
  readonly host?: string;
  /** The address that the client connects to. */
  readonly ip?: string;
  readonly port: number;
  readonly network?: 'tcp' | 'udp' | 'icmp';
  /** What `host` resolves to, for rules behind a `resolve`. */
  readonly addresses?: readonly string[];
  readonly inbound?: string;
  readonly source?: string;
  readonly source_port?: number;
  /** What sniffing recognises (`tls`, `http`, `quic`, `dns`, ...); empty when it recognises nothing. */
  readonly protocol?: string;
  readonly client?: string;
  readonly auth_user?: string;
  /** The file name of the program; `process_path` implies it. */
  readonly process?: string;
  readonly process_path?: string;
  readonly package_name?: string;
  /** The system's user that owns the program. */
  readonly user?: string;
  readonly user_id?: number;
  readonly clash_mode?: string;
  readonly network_type?: string;
  readonly network_is_expensive?: boolean;
  readonly network_is_constrained?: boolean;
  readonly wifi_ssid?: string;
  readonly wifi_bssid?: string;
}

/** What rules see at one moment. `undefined` is not known, `null` is known not to be there. */
export interface Facts {
  /** What rules about domains look at. */
  readonly name: string | null | undefined;
  readonly ip: Ip | null | undefined;
  /** What the rules before have resolved. */
  readonly addresses: readonly Ip[] | null | undefined;
  readonly port: number | undefined;
  readonly network: string;
  /** IP version of the destination as it came in. */
  readonly ip_version: 4 | 6 | null | undefined;
  /** The inbounds it may have come in by. */
  readonly inbounds: readonly string[] | undefined;
  readonly source: Ip | undefined;
  readonly source_port: number | undefined;
  readonly protocol: string | null | undefined;
  /** Where the protocol is not known: the only ones it may be. */
  readonly possible_protocols: readonly string[] | undefined;
  readonly client: string | null | undefined;
  readonly auth_user: string | undefined;
  readonly process_name: string | undefined;
  readonly process_path: string | undefined;
  readonly package_name: string | undefined;
  readonly user: string | undefined;
  readonly user_id: number | undefined;
  readonly clash_mode: string | undefined;
  readonly network_type: string | undefined;
  readonly network_is_expensive: boolean | undefined;
  readonly network_is_constrained: boolean | undefined;
  readonly wifi_ssid: string | undefined;
  readonly wifi_bssid: string | undefined;
}

/** The protocols that sniffing can recognise on each network. */
const sniffable: Readonly<Record<string, readonly string[]>> = {
  tcp: ['tls', 'http', 'dns', 'bittorrent', 'ssh', 'rdp'],
  udp: ['dns', 'quic', 'stun', 'bittorrent', 'dtls', 'ntp'],
};
const withName = new Set(['tls', 'http', 'quic']);
/** Mail servers speak first, so that the engine does not wait for the client there. */
const serverFirst = new Set([25, 465, 587, 143, 993, 110, 995]);

/** What is known before the first rule. */
export function firstFacts(config: Json, flow: Flow): Facts {
  const ip = flow.ip === undefined ? null : parseIp(flow.ip);
  const host = flow.host === undefined ? undefined : parseIp(flow.host) === undefined ? flow.host : undefined;
  const destination = ip ?? (flow.host === undefined ? null : (parseIp(flow.host) ?? null));
  const isFake = destination !== null && isFakeIp(config, destination);
  const isMapped = destination !== null && (isFake || asRecord(config['dns'])['reverse_mapping'] === true);
  const inbounds = inboundsOf(config, flow);
  const first: Facts = {
    name: destination === null || isMapped ? host : null,
    ip: isFake ? null : destination,
    addresses: null,
    port: flow.port,
    network: flow.network ?? 'tcp',
    ip_version: isFake ? null : (destination?.family ?? null),
    inbounds: inbounds.map((item, index) => tagOf(item, index)),
    source: flow.source === undefined ? undefined : parseIp(flow.source),
    source_port: flow.source_port,
    protocol: null,
    possible_protocols: [],
    client: null,
    auth_user: flow.auth_user ?? (inbounds.every((item) => recordsIn(item['users']).length === 0) ? '' : undefined),
    process_name: flow.process ?? flow.process_path?.split('/').at(-1),
    process_path: flow.process_path,
    package_name: flow.package_name,
    user: flow.user,
    user_id: flow.user_id,
    clash_mode: flow.clash_mode ?? defaultMode(config),
    network_type: flow.network_type,
    network_is_expensive: flow.network_is_expensive,
    network_is_constrained: flow.network_is_constrained,
    wifi_ssid: flow.wifi_ssid,
    wifi_bssid: flow.wifi_bssid,
  };
  return inboundSteps(first, inbounds, flow);
}

/** The mode that the engine starts in; the overlay always gives it a control API. */
export function defaultMode(config: Json): string {
  const mode = asRecord(asRecord(config['experimental'])['clash_api'])['default_mode'];
  return typeof mode === 'string' && mode !== '' ? mode : 'Rule';
}

function inboundsOf(config: Json, { inbound }: Flow): Json[] {
  const all = [...recordsIn(config['inbounds']), ...recordsIn(config['endpoints'])];
  if (inbound === undefined) return all;
  return [all.find((item, index) => tagOf(item, index) === inbound) ?? { tag: inbound }];
}

function isFakeIp(config: Json, ip: Ip): boolean {
  const dns = asRecord(config['dns']);
  const servers = [...recordsIn(dns['servers']).filter(({ type }) => type === 'fakeip'), asRecord(dns['fakeip'])];
  const ranges = servers.flatMap(({ inet4_range, inet6_range }) => textsIn([inet4_range, inet6_range]));
  return createIpSet(ranges.flatMap((range) => parsePrefix(range) ?? []))(ip);
}

/** Up to 1.12 an inbound may sniff and resolve by itself, before the first rule. */
function inboundSteps(first: Facts, inbounds: readonly Json[], flow: Flow): Facts {
  const after = inbounds.map(({ sniff: sniffs, domain_strategy }) => {
    const sniffed = sniffs === true ? factsAfter(first, { action: 'sniff' }, flow) : first;
    if (typeof domain_strategy !== 'string' || domain_strategy === '') return sniffed;
    return factsAfter(sniffed, { action: 'resolve', strategy: domain_strategy }, flow);
  });
  return after.reduce((merged, facts) => mergeFacts(merged, facts), after[0] ?? first);
}

/** What is known whichever of the two it was. */
export function mergeFacts(a: Facts, b: Facts): Facts {
  if (a === b) return a;
  const entries = Object.entries(a).map(([key, value]: [string, unknown]) => {
    return [key, value === (b as unknown as Json)[key] ? value : undefined];
  });
  return Object.fromEntries(entries) as Facts;
}

/** What rules see after one whose action does not end the search. */
export function factsAfter(facts: Facts, rule: Json, flow: Flow): Facts {
  const change = Object.hasOwn(changes, String(rule['action'])) ? changes[String(rule['action'])] : undefined;
  return change === undefined ? facts : { ...facts, ...change(facts, rule, flow) };
}

/** An outbound may be given along with what `route-options` sets. */
const changes: Readonly<Record<string, (facts: Facts, rule: Json, flow: Flow) => Partial<Facts>>> = {
  sniff,
  resolve,
  'route-options': override,
};

/** Known, and not known to be nothing. */
const isNamed = (fact: string | null | undefined): fact is string => typeof fact === 'string';

function sniff(facts: Facts, rule: Json, flow: Flow): Partial<Facts> {
  if (facts.port === undefined || serverFirst.has(facts.port) || isNamed(facts.protocol)) return {};
  const wanted = textsIn(rule['sniffer']);
  const possible = (sniffable[facts.network] ?? []).filter((name) => wanted.length === 0 || wanted.includes(name));
  const protocol = flow.protocol === undefined ? undefined : possible.includes(flow.protocol) ? flow.protocol : null;
  if (protocol === null || possible.length === 0) return {};
  const carriesName = protocol === undefined ? possible.some((name) => withName.has(name)) : withName.has(protocol);
  // A client that asks for a domain says the same one again in what it sends.
  const name = carriesName && facts.ip !== null ? { name: flow.host } : {};
  return { protocol, possible_protocols: possible, client: flow.client, ...name };
}

function resolve(facts: Facts, rule: Json, flow: Flow): Partial<Facts> {
  if (facts.ip !== null) return {};
  const addresses = flow.addresses?.flatMap((address) => parseIp(address) ?? []);
  const family = { ipv4_only: 4, ipv6_only: 6 }[String(rule['strategy'])];
  return { addresses: family === undefined ? addresses : addresses?.filter((ip) => ip.family === family) };
}

function override(facts: Facts, rule: Json): Partial<Facts> {
  const { override_address, override_port } = rule;
  const port = typeof override_port === 'number' && override_port > 0 ? { port: override_port } : {};
  if (typeof override_address !== 'string' || override_address === '') return port;
  const ip = parseIp(override_address) ?? null;
  // A sniffed name stays what rules about domains look at.
  const name =
    isNamed(facts.protocol) && withName.has(facts.protocol) ? facts.name : ip === null ? override_address : null;
  return { ip, name, addresses: null, ...port };
}
