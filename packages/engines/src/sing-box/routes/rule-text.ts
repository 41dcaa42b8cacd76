import { recordsIn, type Json } from '../document.ts';

/** Conditions whose values are said; of others only the name, as they may be about people. */
const sayable = [
  'inbound',
  'network',
  'ip_version',
  'protocol',
  'domain',
  'domain_suffix',
  'domain_keyword',
  'domain_regex',
  'ip_cidr',
  'ip_is_private',
  'source_ip_is_private',
  'port',
  'port_range',
  'query_type',
  'process_name',
  'clash_mode',
  'rule_set',
  'geosite',
  'geoip',
];
const silent = [
  'auth_user',
  'source_ip_cidr',
  'source_port',
  'user',
  'user_id',
  'package_name',
  'wifi_ssid',
  'wifi_bssid',
];
const maxValues = 3;

/** A rule of `route` or `dns` in one short line: `domain_suffix example.com, port 443 -> select`. */
export function ruleText(rule: Json): string {
  return `${conditionsText(rule)} -> ${targetText(rule)}`;
}

function conditionsText(rule: Json): string {
  const not = rule['invert'] === true ? 'not ' : '';
  if (rule['type'] === 'logical') {
    const inner = recordsIn(rule['rules']).slice(0, maxValues).map(conditionsText);
    return `${not}(${inner.join(rule['mode'] === 'or' ? ' or ' : ' and ')})`;
  }
  const said = sayable.flatMap((field) => (isSet(rule[field]) ? [`${field} ${valuesText(rule[field])}`] : []));
  const named = silent.filter((field) => isSet(rule[field]));
  return not + ([...said, ...named].join(', ') || 'everything');
}

const isSet = (value: unknown): boolean =>
  value !== undefined && value !== false && value !== '' && !(Array.isArray(value) && value.length === 0);

function valuesText(value: unknown): string {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  const shown = values.slice(0, maxValues).map(String).join(' ');
  return values.length > maxValues ? `${shown} and ${values.length - maxValues} more` : shown;
}

function targetText(rule: Json): string {
  const [action, target] = [rule['action'], rule['outbound'] ?? rule['server']];
  const isRoute = action === undefined || action === '' || action === 'route';
  if (isRoute) return plainText(target);
  return target === undefined ? plainText(action) : `${plainText(action)} ${plainText(target)}`;
}

/** A value of a rule as people write it; `?` where there is none. */
export const plainText = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '?');
