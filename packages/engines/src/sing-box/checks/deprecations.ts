import { asRecord, isDomain, isRecord, recordsIn, textsIn, type Json } from '../document.ts';
import { visitPlaces } from './references.ts';

/** Something in a configuration that an engine version warns about or no longer takes. */
export interface Deprecation {
  /** sing-box's own name for it where it has one: what it writes into logs and variables. */
  readonly name: string;
  /** As sing-box writes it: `dns.servers[1].address`. */
  readonly path: string;
  /** Versions as `1.12`. */
  readonly since: string;
  /** From here on the engine does not start with it (unless a variable says so). */
  readonly error_from: string;
  /** As announced; some stayed behind their variable for longer. */
  readonly removed_in: string;
  readonly instead: string;
  readonly effect: 'warns' | 'fails';
}

export interface DeprecationRow {
  readonly name: string;
  readonly since: string;
  readonly error_from: string;
  readonly removed_in: string;
  readonly instead: string;
  /** Paths of what is found. */
  readonly find: (config: Json) => readonly string[];
}

/** Fields that are set, at a path of `references.ts`. */
const at =
  (...paths: readonly string[]) =>
  (config: Json): string[] =>
    paths.flatMap((path) => placesWhere(config, path, isSet));

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false && value !== '';

function placesWhere(config: Json, path: string, test: (value: unknown, holder: Json) => boolean): string[] {
  const found: string[] = [];
  visitPlaces(config, path, ({ object, path: before }, field) => {
    if (test(object[field], object)) found.push(`${before}${field}`);
  });
  return found;
}

const ofType =
  (list: string, ...types: readonly string[]) =>
  (config: Json) =>
    placesWhere(config, `${list}[].type`, (type) => types.includes(String(type)));

/** Fields of items of one type. */
const fieldsOf =
  (list: string, type: string, ...fields: readonly string[]) =>
  (config: Json) =>
    fields.flatMap((field) =>
      placesWhere(config, `${list}[].${field}`, (value, item) => item['type'] === type && isSet(value)),
    );

const ruleConditions = (...fields: readonly string[]) =>
  at(...fields.flatMap((field) => [`route.rules[].${field}`, `dns.rules[].${field}`]));

const dialers = ['outbounds', 'endpoints', 'dns.servers'];

function missingResolver(config: Json): string[] {
  const servers = recordsIn(asRecord(config['dns'])['servers']);
  if (servers.length < 2 || isSet(asRecord(config['route'])['default_domain_resolver'])) return [];
  return ['outbounds', 'endpoints'].flatMap((list) =>
    placesWhere(
      config,
      `${list}[].server`,
      (server, item) => !isSet(item['domain_resolver']) && textsIn(server).some(isDomain),
    ),
  );
}

const addressFilters = ['ip_cidr', 'ip_is_private', 'ip_accept_any'];
const filtersIn = (config: Json): string[] =>
  addressFilters.flatMap((field) =>
    placesWhere(config, `dns.rules[].${field}`, (value, rule) => isSet(value) && !isSet(rule['match_response'])),
  );

/** Conditions and actions with which 1.14 no longer reads the DNS rules of earlier versions. */
function hasNewDns(config: Json): boolean {
  const isNew = (rule: Json): boolean =>
    ['ip_version', 'query_type', 'match_response'].some((field) => isSet(rule[field])) ||
    ['evaluate', 'respond'].includes(String(rule['action'])) ||
    recordsIn(rule['rules']).some(isNew);
  return recordsIn(asRecord(config['dns'])['rules']).some(isNew);
}

const strategies = at('dns.rules[].strategy');
const onlyWithNew = (find: (config: Json) => string[]) => (config: Json) => (hasNewDns(config) ? find(config) : []);
const onlyWithoutNew = (find: (config: Json) => string[]) => (config: Json) => (hasNewDns(config) ? [] : find(config));

const remoteSets = (config: Json): Json[] =>
  recordsIn(asRecord(config['route'])['rule_set']).filter(({ type }) => type === 'remote');

function implicitClient(config: Json): string[] {
  const { default_http_client } = asRecord(config['route']);
  const hasClient = isSet(default_http_client) || recordsIn(config['http_clients']).length > 0;
  if (hasClient || remoteSets(config).length === 0) return [];
  return placesWhere(
    config,
    'route.rule_set[].url',
    (url, set) => isSet(url) && !isSet(set['http_client']) && !isSet(set['download_detour']),
  );
}

const cacheFields = ['cache_file', 'cache_id', 'store_mode', 'store_selected', 'store_fakeip'];
const echFields = ['pq_signature_schemes_enabled', 'dynamic_record_sizing_disabled'];
const inboundFields = [
  'sniff',
  'sniff_override_destination',
  'sniff_timeout',
  'domain_strategy',
  'udp_disable_domain_unmapping',
];
const tunFields = [
  'inet4_address',
  'inet6_address',
  'inet4_route_address',
  'inet6_route_address',
  'inet4_route_exclude_address',
  'inet6_route_exclude_address',
];

/**
 * What sing-box announced to take away, up to 1.14.4: its list of deprecations (`experimental/deprecated`), and what it
 * refuses by name. A version announces, the next one fails unless a variable is set, the one after has it no more.
 */
export const deprecationTable: readonly DeprecationRow[] = [
  row(
    'geoip',
    ['1.8', '1.11', '1.12'],
    'rule-sets of the same countries',
    at(
      'route.geoip',
      'route.rules[].geoip',
      'route.rules[].source_geoip',
      'dns.rules[].geoip',
      'dns.rules[].source_geoip',
    ),
  ),
  row(
    'geosite',
    ['1.8', '1.11', '1.12'],
    'rule-sets of the same sites',
    at('route.geosite', 'route.rules[].geosite', 'dns.rules[].geosite'),
  ),
  row(
    'clash-api-cache',
    ['1.8', '1.8', '1.10'],
    'experimental.cache_file',
    at(...cacheFields.map((field) => `experimental.clash_api.${field}`)),
  ),
  row(
    'bad-match-source',
    ['1.10', '1.10', '1.11'],
    'rule_set_ip_cidr_match_source',
    ruleConditions('rule_set_ipcidr_match_source'),
  ),
  row(
    'tun-address-x',
    ['1.10', '1.11', '1.12'],
    'address, route_address and route_exclude_address',
    fieldsOf('inbounds', 'tun', ...tunFields),
  ),
  row('tun-gso', ['1.11', '1.11', '1.12'], 'nothing: the engine does it by itself', fieldsOf('inbounds', 'tun', 'gso')),
  row('special-outbounds', ['1.11', '1.12', '1.13'], 'a rule with "action": "hijack-dns"', ofType('outbounds', 'dns')),
  row(
    'inbound-options',
    ['1.11', '1.13', '1.13'],
    'rules with the actions sniff, resolve and route-options',
    at(...inboundFields.map((field) => `inbounds[].${field}`)),
  ),
  row(
    'destination-override-fields',
    ['1.11', '1.12', '1.13'],
    'a rule with "action": "route-options"',
    fieldsOf('outbounds', 'direct', 'override_address', 'override_port'),
  ),
  row(
    'wireguard-outbound',
    ['1.11', '1.12', '1.13'],
    'an endpoint of the type wireguard',
    ofType('outbounds', 'wireguard'),
  ),
  row(
    'legacy-ech-options',
    ['1.12', '1.12', '1.13'],
    'nothing: the fields have no effect',
    at(...echFields.flatMap((field) => [`inbounds[].tls.ech.${field}`, `outbounds[].tls.ech.${field}`])),
  ),
  row('legacy-dns-transport', ['1.12', '1.13', '1.14'], 'type, server and server_port', at('dns.servers[].address')),
  row('legacy-dns-fakeip-options', ['1.12', '1.13', '1.14'], 'a DNS server of the type fakeip', at('dns.fakeip')),
  row(
    'outbound-dns-rule-item',
    ['1.12', '1.13', '1.14'],
    'domain_resolver of the outbound, or route.default_domain_resolver',
    at('dns.rules[].outbound'),
  ),
  row('missing-domain-resolver', ['1.12', '1.13', '1.14'], 'route.default_domain_resolver', missingResolver),
  row(
    'legacy-domain-strategy-options',
    ['1.12', '1.13', '1.14'],
    'domain_resolver with a strategy',
    at(...dialers.map((list) => `${list}[].domain_strategy`)),
  ),
  row('route-action-direct', ['1.14', '1.14', '1.14'], '"outbound" with an outbound of the type direct', (config) =>
    placesWhere(config, 'route.rules[].action', (action) => action === 'direct'),
  ),
  row('inline-acme-options', ['1.14', '1.15', '1.16'], 'tls.certificate_provider', at('inbounds[].tls.acme')),
  row(
    'legacy-rule-set-download-detour',
    ['1.14', '1.15', '1.16'],
    'http_client with a detour',
    at('route.rule_set[].download_detour'),
  ),
  row('implicit-default-http-client', ['1.14', '1.15', '1.16'], 'route.default_http_client', implicitClient),
  row(
    'dns-rule-rule-set-ip-cidr-accept-empty',
    ['1.14', '1.15', '1.16'],
    'the action evaluate, then match_response',
    onlyWithoutNew(at('dns.rules[].rule_set_ip_cidr_accept_empty')),
  ),
  row(
    'legacy-dns-address-filter',
    ['1.14', '1.15', '1.16'],
    'the action evaluate, then match_response',
    onlyWithoutNew(filtersIn),
  ),
  row(
    'legacy-dns-rule-strategy',
    ['1.14', '1.15', '1.16'],
    'query_type in the conditions of the rule',
    onlyWithoutNew(strategies),
  ),
  row(
    'legacy-dns-with-new-rules',
    ['1.14', '1.14', '1.14'],
    'match_response, now that other rules have query_type, ip_version or evaluate',
    onlyWithNew((config) => [
      ...filtersIn(config),
      ...strategies(config),
      ...at('dns.rules[].rule_set_ip_cidr_accept_empty')(config),
    ]),
  ),
  row(
    'independent-dns-cache',
    ['1.14', '1.15', '1.16'],
    'nothing: every server has its own cache',
    at('dns.independent_cache'),
  ),
  row(
    'store-rdrc',
    ['1.14', '1.15', '1.16'],
    'experimental.cache_file.store_dns',
    at('experimental.cache_file.store_rdrc'),
  ),
];

function row(
  name: string,
  versions: readonly [string, string, string],
  instead: string,
  find: DeprecationRow['find'],
): DeprecationRow {
  const [since, error_from, removed_in] = versions;
  return { name, since, error_from, removed_in, instead, find };
}

const minorOf = (version: string): number => Number(/^v?1\.(\d+)/.exec(version)?.[1] ?? Number.NaN);

/** What this version of sing-box warns about or refuses in a configuration that others may have taken. */
export function deprecationsIn(config: unknown, version: string): Deprecation[] {
  const minor = minorOf(version);
  if (!isRecord(config)) return [];
  return deprecationTable.flatMap(({ find, ...known }) => {
    if (!(minor >= minorOf(known.since))) return [];
    const effect = minor >= minorOf(known.error_from) ? ('fails' as const) : ('warns' as const);
    return find(config).map((path) => ({ ...known, path, effect }));
  });
}

/** Something that is taken before and after, and does something else. */
export interface BehaviourChange {
  readonly name: string;
  readonly path: string;
  readonly since: string;
  readonly what: string;
}

const groupConditions = [
  'domain',
  'domain_suffix',
  'domain_keyword',
  'domain_regex',
  'ip_cidr',
  'ip_is_private',
  'port',
  'port_range',
  'source_ip_cidr',
  'source_ip_is_private',
  'source_port',
  'source_port_range',
];

/** What the engine does differently on the way from one version to a later one, without a word. */
export function behaviourChanges(config: unknown, from: string, to: string): BehaviourChange[] {
  if (!isRecord(config) || !(minorOf(from) < 14 && minorOf(to) >= 14)) return [];
  const hasGroup = (rule: Json): boolean => groupConditions.some((field) => isSet(rule[field]));
  const what =
    'a rule-set with several rules no longer stands in for the addresses and ports of the rule that names it: both must hold';
  return placesWhere(config, 'route.rules[].rule_set', (sets, rule) => isSet(sets) && hasGroup(rule)).map((path) => ({
    name: 'rule-set-merging',
    path,
    since: '1.14',
    what,
  }));
}
