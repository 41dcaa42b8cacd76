import { asRecord, isDomain, isRecord, recordsIn, tagOf, type Json } from '../document.ts';
import { directTag } from './dialect-rules.ts';
import type { DialectRow, Lowering } from './lowering.ts';

/** Rows for engines before 1.12, whose DNS servers are addresses and whose rules say who finds the servers of outbounds. */
export const legacyDns: readonly DialectRow[] = [
  { feature: 'DNS rule predefined with an rcode: rcode:// server', since: 12, lower: rcodeServers },
  { feature: 'typed DNS servers: address', since: 12, lower: addresses },
  { feature: 'default_domain_resolver and domain_resolver: DNS rules on outbounds', since: 12, lower: outboundRules },
];

const serversOf = (config: Json): Json[] => recordsIn(asRecord(config['dns'])['servers']);

/** As 1.11 calls the response codes. */
const rcodes: Readonly<Record<string, string>> = {
  NOERROR: 'success',
  FORMERR: 'format_error',
  SERVFAIL: 'server_failure',
  NXDOMAIN: 'name_error',
  NOTIMP: 'not_implemented',
  REFUSED: 'refused',
};

function rcodeServers(config: Json, lowering: Lowering): void {
  const dns = asRecord(config['dns']);
  const made = new Map<string, Json>();
  for (const [index, rule] of recordsIn(dns['rules']).entries()) {
    if (rule['action'] !== 'predefined') continue;
    const path = `dns.rules[${index}]`;
    const { rcode = 'NOERROR' } = rule;
    const name = typeof rcode === 'string' && Object.hasOwn(rcodes, rcode) ? rcodes[rcode] : undefined;
    if (name === undefined)
      return lowering.refuse(`${path}.rcode`, `sing-box 1.${lowering.minor} cannot answer with it`);
    for (const key of ['answer', 'ns', 'extra']) {
      if (rule[key] !== undefined) lowering.refuse(`${path}.${key}`, 'predefined answers need sing-box 1.12 or newer');
    }
    const tag = `rcode ${name}`;
    made.set(tag, { tag, address: `rcode://${name}` });
    delete rule['rcode'];
    Object.assign(rule, { action: 'route', server: tag });
  }
  if (made.size > 0) dns['servers'] = [...serversOf(config), ...made.values()];
}

/** Fields of a typed server that the older form has too, under whatever name. */
const known = new Set([
  'type',
  'tag',
  'server',
  'server_port',
  'path',
  'detour',
  'domain_resolver',
  'interface',
  'tls',
]);

const schemes: Readonly<Record<string, { readonly scheme: string; readonly port: number; readonly path?: string }>> = {
  udp: { scheme: 'udp', port: 53 },
  tcp: { scheme: 'tcp', port: 53 },
  tls: { scheme: 'tls', port: 853 },
  quic: { scheme: 'quic', port: 853 },
  https: { scheme: 'https', port: 443, path: '/dns-query' },
  h3: { scheme: 'h3', port: 443, path: '/dns-query' },
};

function addresses(config: Json, lowering: Lowering): void {
  for (const [index, server] of serversOf(config).entries()) {
    const { type } = server;
    // What has an address is in the older form already.
    if (typeof type !== 'string' || server['address'] !== undefined) continue;
    const legacy = legacyServer(config, server, { ...lowering, path: `dns.servers[${index}]` });
    for (const key of Object.keys(server)) delete server[key];
    Object.assign(server, legacy);
  }
}

interface ServerLowering extends Lowering {
  readonly path: string;
}

function legacyServer(config: Json, server: Json, lowering: ServerLowering): Json {
  const { type, tag } = server;
  const named = tag === undefined ? {} : { tag };
  if (type === 'fakeip') return { ...named, address: fakeIp(config, server, lowering) };
  refuseUnknown(server, lowering);
  if (type === 'local') return { ...named, address: 'local', ...detourOf(server) };
  if (type === 'dhcp') return { ...named, address: `dhcp://${textOr(server['interface'], 'auto')}` };
  const row = Object.hasOwn(schemes, String(type)) ? schemes[String(type)] : undefined;
  if (row === undefined) {
    return lowering.refuse(`${lowering.path}.type`, `DNS servers of type ${String(type)} need sing-box 1.12 or newer`);
  }
  const host = textOr(server['server'], '');
  const { server_port } = server;
  const port = typeof server_port === 'number' && server_port !== row.port ? `:${server_port}` : '';
  const path = row.path === undefined ? '' : textOr(server['path'], row.path);
  return {
    ...named,
    address: `${row.scheme}://${host.includes(':') ? `[${host}]` : host}${port}${path}`,
    ...resolverOf(config, server, lowering),
    // The older form goes through the final outbound unless told otherwise, the newer one directly.
    ...(server['detour'] === undefined ? { detour: directTag(config) } : detourOf(server)),
  };
}

const textOr = (value: unknown, preset: string): string => (typeof value === 'string' ? value : preset);

const detourOf = ({ detour }: Json): Json => (detour === undefined ? {} : { detour });

function refuseUnknown(server: Json, { path, refuse }: ServerLowering): void {
  const tls = asRecord(server['tls']);
  const isPlain = Object.entries(tls).every(
    ([key, value]) => key === 'enabled' || (key === 'server_name' && value === server['server']),
  );
  if (!isPlain) refuse(`${path}.tls`, 'TLS settings of DNS servers need sing-box 1.12 or newer');
  const unknown = Object.keys(server).find((key) => !known.has(key));
  if (unknown !== undefined) refuse(`${path}.${unknown}`, 'it needs sing-box 1.12 or newer');
}

/** @returns the address of the server that stands for the block */
function fakeIp(config: Json, { inet4_range, inet6_range }: Json, { path, refuse }: ServerLowering): string {
  const dns = asRecord(config['dns']);
  if (dns['fakeip'] !== undefined) refuse(path, 'sing-box before 1.12 has one fakeip server');
  dns['fakeip'] = {
    enabled: true,
    ...(inet4_range === undefined ? {} : { inet4_range }),
    ...(inet6_range === undefined ? {} : { inet6_range }),
  };
  return 'fakeip';
}

function resolverOf(config: Json, { server, domain_resolver, tag }: Json, lowering: ServerLowering): Json {
  if (!isDomain(server)) return {};
  const fallback = asRecord(config['route'])['default_domain_resolver'];
  const resolver = readResolver(domain_resolver ?? fallback, `${lowering.path}.domain_resolver`, lowering);
  // A server that finds itself would wait for itself.
  if (resolver === undefined || resolver.server === tag) return {};
  const { strategy } = resolver;
  return { address_resolver: resolver.server, ...(strategy === undefined ? {} : { address_strategy: strategy }) };
}

interface Resolver {
  readonly server: string;
  readonly strategy?: string;
}

function readResolver(value: unknown, path: string, { warn }: Lowering): Resolver | undefined {
  if (typeof value === 'string') return { server: value };
  if (!isRecord(value) || typeof value['server'] !== 'string') return undefined;
  const { server, strategy, ...rest } = value;
  for (const key of Object.keys(rest)) warn(`${path}.${key}`, 'it needs sing-box 1.12 or newer; it is left off');
  return { server, ...(typeof strategy === 'string' ? { strategy } : {}) };
}

function outboundRules(config: Json, lowering: Lowering): void {
  const dns = asRecord(config['dns']);
  const route = asRecord(config['route']);
  const rules: Json[] = [];
  const add = (outbound: string, value: unknown, path: string): void => {
    const resolver = readResolver(value, path, lowering);
    if (resolver !== undefined) rules.push({ outbound, server: serverFor(config, resolver) });
  };
  for (const list of ['outbounds', 'endpoints']) {
    for (const [index, item] of recordsIn(config[list]).entries()) {
      if (item['domain_resolver'] === undefined) continue;
      add(tagOf(item, index), item['domain_resolver'], `${list}[${index}].domain_resolver`);
      delete item['domain_resolver'];
    }
  }
  add('any', route['default_domain_resolver'], 'route.default_domain_resolver');
  delete route['default_domain_resolver'];
  if (rules.length > 0) dns['rules'] = [...rules, ...(Array.isArray(dns['rules']) ? (dns['rules'] as unknown[]) : [])];
}

/** A rule of 1.11 has no strategy of its own, a server has: a copy of it carries the strategy. */
function serverFor(config: Json, { server, strategy }: Resolver): string {
  if (strategy === undefined) return server;
  const tag = `${server} ${strategy}`;
  const servers = serversOf(config);
  const origin = servers.find((item) => item['tag'] === server);
  if (origin === undefined || servers.some((item) => item['tag'] === tag)) return origin === undefined ? server : tag;
  asRecord(config['dns'])['servers'] = [...servers, { ...origin, tag, strategy }];
  return tag;
}
