import { textsIn, type Json } from '../document.ts';
import { createIpSet, isPrivateIp, parsePrefix, type Ip } from './ip-ranges.ts';
import type { Facts } from './route-facts.ts';

export type Truth = 'yes' | 'no' | 'unknown';

/** What one condition of a rule says about a connection. */
export interface Answer {
  readonly truth: Truth;
  /** The item of the condition that fits. */
  readonly item?: string;
  /** What would have to be known. */
  readonly fact?: string;
}

/** Conditions of one group are alternatives; groups, and the others each, must all hold. */
export type Group = 'address' | 'port' | 'source_address' | 'source_port' | 'other';

export interface Condition {
  readonly field: string;
  readonly group: Group;
  /** `matchSource`: a rule-set is asked about the source instead (`rule_set_ip_cidr_match_source`). */
  readonly answer: (facts: Facts, matchSource: boolean) => Answer;
  /** Set for conditions on addresses, which a rule-set may turn to the source. */
  readonly isIpCidr?: true;
}

/** Makes a test of an expression in Go's RE2 syntax; throws for one that it cannot take. */
export type RegexFactory = (expression: string) => { test(text: string): boolean };

const yes = (item: string): Answer => ({ truth: 'yes', item });
const no: Answer = { truth: 'no' };
const unknown = (fact: string): Answer => ({ truth: 'unknown', fact });

type Compile = (value: unknown, regex: RegexFactory, field: string) => Condition['answer'] | undefined;
interface Row {
  readonly group: Group;
  readonly compile: Compile;
  readonly isIpCidr?: true;
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

/** A condition on the domain: names with capital letters fit nothing, as the engine lowers only the host. */
const domain =
  (find: (values: readonly string[], regex: RegexFactory) => (name: string) => string | undefined): Compile =>
  (value, regex) => {
    const values = textsIn(value);
    if (values.length === 0) return undefined;
    const search = tryOr(() => find(values, regex));
    return ({ name }) => {
      if (name === undefined) return unknown('host');
      if (name === null || name === '') return no;
      if (search === undefined) return unknown('a regular expression that can be tried here');
      const item = search(name.toLowerCase());
      return item === undefined ? no : yes(item);
    };
  };

function tryOr<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

function suffixes(values: readonly string[]) {
  const set = new Set(values);
  return (name: string): string | undefined => {
    if (set.has(name) && !name.startsWith('.')) return name;
    for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1)) {
      const [withDot, without] = [name.slice(at), name.slice(at + 1)];
      if (set.has(withDot)) return withDot;
      if (set.has(without)) return without;
    }
    return undefined;
  };
}

function exact(values: readonly string[]) {
  const set = new Set(values);
  return (name: string): string | undefined => (set.has(name) ? name : undefined);
}

const keywords = (values: readonly string[]) => (name: string) => values.find((value) => name.includes(value));

function regexes(values: readonly string[], regex: RegexFactory) {
  const tests = values.map((value) => ({ value, matcher: regex(value) }));
  return (name: string) => tests.find(({ matcher }) => matcher.test(name))?.value;
}

/** Names the first few prefixes: a set does not say which one it was. */
function cidr(value: unknown): { has: (ip: Ip) => boolean; text: string } | undefined {
  const texts = textsIn(value);
  if (texts.length === 0) return undefined;
  const has = createIpSet(texts.flatMap((text) => parsePrefix(text) ?? []));
  const text = texts.length > 3 ? `${texts.slice(0, 3).join(' ')} ...` : texts.join(' ');
  return { has, text };
}

const sourceIs = (has: (ip: Ip) => boolean, { source }: Facts, item: string): Answer => {
  if (source === undefined) return unknown('source');
  return has(source) ? yes(item) : no;
};

/** A domain has addresses only behind a rule that resolves it. */
function destinationIs(has: (ip: Ip) => boolean, { ip, addresses }: Facts, item: string): Answer {
  if (ip === undefined) return unknown('ip');
  if (ip !== null) return has(ip) ? yes(item) : no;
  if (addresses === undefined) return unknown('addresses');
  return addresses?.some(has) === true ? yes(item) : no;
}

const port =
  (fact: 'port' | 'source_port', test: (value: unknown, port: number) => string | undefined): Compile =>
  (value) => {
    if (list(value).length === 0) return undefined;
    return (facts) => {
      const actual = facts[fact];
      if (actual === undefined) return unknown(fact);
      const item = test(value, actual);
      return item === undefined ? no : yes(item);
    };
  };

const onePort = (value: unknown, actual: number): string | undefined =>
  list(value).includes(actual) ? String(actual) : undefined;

const portRange = (value: unknown, actual: number): string | undefined =>
  textsIn(value).find((range) => {
    const [from = '', to = ''] = range.split(':');
    return actual >= Number(from === '' ? 0 : from) && actual <= Number(to === '' ? 65_535 : to);
  });

/** Facts that are one text or number. */
type PlainFact = Exclude<keyof Facts, 'ip' | 'addresses' | 'inbounds' | 'source' | 'possible_protocols'>;

/** A fact that is one of the listed values. */
const oneOf =
  (fact: PlainFact): Compile =>
  (value) => {
    const values = list(value).map(String);
    if (values.length === 0) return undefined;
    return (facts) => {
      const actual = facts[fact];
      if (actual === undefined) return unknown(fact);
      return actual !== null && values.includes(String(actual)) ? yes(String(actual)) : no;
    };
  };

/** A switch: only `true` is a condition. */
const flag =
  (answer: (facts: Facts) => Answer): Compile =>
  (value) =>
    value === true ? answer : undefined;

const known = (fact: 'network_is_expensive' | 'network_is_constrained') =>
  flag((facts) => (facts[fact] === undefined ? unknown(fact) : facts[fact] ? yes('true') : no));

const inbound: Compile = (value) => {
  const wanted = textsIn(value);
  if (wanted.length === 0) return undefined;
  return ({ inbounds }) => {
    const fitting = inbounds?.filter((tag) => wanted.includes(tag)) ?? [];
    if (inbounds === undefined || (fitting.length > 0 && fitting.length < inbounds.length)) return unknown('inbound');
    return fitting.length === 0 ? no : yes(fitting.join(' '));
  };
};

const protocol: Compile = (value) => {
  const wanted = textsIn(value);
  if (wanted.length === 0) return undefined;
  return ({ protocol: actual, possible_protocols }) => {
    if (actual !== undefined) return actual !== null && wanted.includes(actual) ? yes(actual) : no;
    const isPossible = possible_protocols === undefined || wanted.some((name) => possible_protocols.includes(name));
    return isPossible ? unknown('protocol') : no;
  };
};

const ipVersion: Compile = (value) => {
  if (value !== 4 && value !== 6) return undefined;
  return ({ ip_version, ip }) => {
    if (ip_version === value || ip?.family === value) return yes(String(value));
    return ip_version === undefined || ip === undefined ? unknown('ip') : no;
  };
};

const clashMode: Compile = (value) => {
  if (typeof value !== 'string' || value === '') return undefined;
  return ({ clash_mode }) => {
    if (clash_mode === undefined) return unknown('clash_mode');
    return clash_mode.toLowerCase() === value.toLowerCase() ? yes(value) : no;
  };
};

const processPathRegex: Compile = (value, regex) => {
  const values = textsIn(value);
  if (values.length === 0) return undefined;
  const search = tryOr(() => regexes(values, regex));
  return ({ process_path }) => {
    if (process_path === undefined || search === undefined) return unknown('process_path');
    const item = search(process_path);
    return item === undefined ? no : yes(item);
  };
};

const ipCidr: Compile = (value) => {
  const set = cidr(value);
  if (set === undefined) return undefined;
  return (facts, matchSource) =>
    matchSource ? sourceIs(set.has, facts, set.text) : destinationIs(set.has, facts, set.text);
};

const sourceIpCidr: Compile = (value) => {
  const set = cidr(value);
  return set && ((facts) => sourceIs(set.has, facts, set.text));
};

/** What a connection does not say: only the machine that it comes in on knows. */
const elsewhere: Compile = (value, _, field) =>
  value === undefined || value === false || (Array.isArray(value) && value.length === 0)
    ? undefined
    : () => unknown(field);

/** The conditions of rules and rule-sets of sing-box 1.11 to 1.14. Unlisted ones are `unknown`. */
const conditionTable: Readonly<Record<string, Row>> = {
  domain: { group: 'address', compile: domain(exact) },
  domain_suffix: { group: 'address', compile: domain(suffixes) },
  domain_keyword: { group: 'address', compile: domain(keywords) },
  domain_regex: { group: 'address', compile: domain(regexes) },
  adguard_domain: { group: 'address', compile: elsewhere },
  geosite: { group: 'address', compile: elsewhere },
  geoip: { group: 'address', compile: elsewhere },
  ip_cidr: { group: 'address', compile: ipCidr, isIpCidr: true },
  ip_is_private: {
    group: 'address',
    compile: flag((facts) => destinationIs(isPrivateIp, facts, 'true')),
    isIpCidr: true,
  },
  source_geoip: { group: 'source_address', compile: elsewhere },
  source_ip_cidr: { group: 'source_address', compile: sourceIpCidr },
  source_ip_is_private: { group: 'source_address', compile: flag((facts) => sourceIs(isPrivateIp, facts, 'true')) },
  port: { group: 'port', compile: port('port', onePort) },
  port_range: { group: 'port', compile: port('port', portRange) },
  source_port: { group: 'source_port', compile: port('source_port', onePort) },
  source_port_range: { group: 'source_port', compile: port('source_port', portRange) },
  inbound: { group: 'other', compile: inbound },
  ip_version: { group: 'other', compile: ipVersion },
  network: { group: 'other', compile: oneOf('network') },
  auth_user: { group: 'other', compile: oneOf('auth_user') },
  protocol: { group: 'other', compile: protocol },
  client: { group: 'other', compile: oneOf('client') },
  process_name: { group: 'other', compile: oneOf('process_name') },
  process_path: { group: 'other', compile: oneOf('process_path') },
  process_path_regex: { group: 'other', compile: processPathRegex },
  package_name: { group: 'other', compile: oneOf('package_name') },
  user: { group: 'other', compile: oneOf('user') },
  user_id: { group: 'other', compile: oneOf('user_id') },
  clash_mode: { group: 'other', compile: clashMode },
  network_type: { group: 'other', compile: oneOf('network_type') },
  network_is_expensive: { group: 'other', compile: known('network_is_expensive') },
  network_is_constrained: { group: 'other', compile: known('network_is_constrained') },
  wifi_ssid: { group: 'other', compile: oneOf('wifi_ssid') },
  wifi_bssid: { group: 'other', compile: oneOf('wifi_bssid') },
};

/** Fields of a rule that are no conditions: what it is, and what it does. */
const notConditions = new Set([
  'type',
  'mode',
  'rules',
  'invert',
  'rule_set',
  'rule_set_ip_cidr_match_source',
  'rule_set_ipcidr_match_source',
  'action',
  'outbound',
  'override_address',
  'override_port',
  'network_strategy',
  'fallback_delay',
  'fallback_network_type',
  'udp_disable_domain_unmapping',
  'udp_connect',
  'udp_timeout',
  'tls_fragment',
  'tls_fragment_fallback_delay',
  'tls_record_fragment',
  'tls_spoof',
  'tls_spoof_method',
  'method',
  'no_drop',
  'sniffer',
  'timeout',
  'server',
  'strategy',
  'disable_cache',
  'disable_optimistic_cache',
  'rewrite_ttl',
  'client_subnet',
]);

/** The conditions of one default rule. */
export function conditionsOf(rule: Json, regex: RegexFactory): Condition[] {
  return Object.keys(rule).flatMap((field) => {
    if (notConditions.has(field)) return [];
    const { group, compile, isIpCidr } = Object.hasOwn(conditionTable, field)
      ? (conditionTable[field] as Row)
      : { group: 'other' as const, compile: elsewhere, isIpCidr: undefined };
    const answer = compile(rule[field], regex, field);
    return answer === undefined ? [] : [{ field, group, answer, ...(isIpCidr && { isIpCidr }) }];
  });
}

/** Longest expression and host that JavaScript's own engine is given. */
const maxExpression = 1000;
const maxHost = 253;

/**
 * JavaScript's engine for expressions that cannot keep it busy for long: at most three repetitions without an end, and
 * none of a group. Others throw, so that the condition is unknown; give `createRouteMatcher` an RE2 for all of them.
 */
export const plainRegex: RegexFactory = (expression) => {
  const bare = expression.replace(/\\.|\[(?:\\.|[^\]\\])*\]/g, 'x');
  const endless = bare.match(/[*+]|\{\d+,\}/g)?.length ?? 0;
  if (expression.length > maxExpression || endless > 3 || /\)(?:[*+]|\{)/.test(bare)) {
    throw new RangeError('the expression may take too long');
  }
  const matcher = new RegExp(expression, 'u');
  return { test: (text) => matcher.test(text.slice(0, maxHost)) };
};
