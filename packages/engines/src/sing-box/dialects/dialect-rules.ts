import { asRecord, isRecord, recordsIn, textsIn, type Json } from '../document.ts';
import type { Lowering } from './lowering.ts';
import { expandRuleSet } from '../compose/remote-rule-sets.ts';

/** One rule-set for each tag. */
export function ruleSetTags(config: Json): void {
  const { route } = config;
  if (isRecord(route) && Array.isArray(route['rule_set'])) route['rule_set'] = route['rule_set'].flatMap(expandRuleSet);
}

/** The tag of the outbound that goes out directly; made when there is none. */
export function directTag(config: Json): string {
  const outbounds: unknown[] = Array.isArray(config['outbounds']) ? config['outbounds'] : [];
  const direct = recordsIn(outbounds).find(({ type, tag }) => type === 'direct' && typeof tag === 'string');
  if (direct !== undefined) return String(direct['tag']);
  const taken = new Set([...outbounds, ...recordsIn(config['endpoints'])].map((item) => asRecord(item)['tag']));
  let tag = 'direct';
  for (let copy = 2; taken.has(tag); copy += 1) tag = `direct ${copy}`;
  config['outbounds'] = [...outbounds, { type: 'direct', tag }];
  return tag;
}

/** Before 1.14 a rule-set itself says which outbound fetches it, and nothing else about it. */
export function downloadDetours(config: Json, lowering: Lowering): void {
  const route = asRecord(config['route']);
  const clients = new Map(recordsIn(config['http_clients']).map((client) => [client['tag'], client]));
  for (const [index, ruleSet] of recordsIn(route['rule_set']).entries()) {
    const named = ruleSet['http_client'] ?? route['default_http_client'];
    if (ruleSet['type'] !== 'remote' || named === undefined) continue;
    const path = `route.rule_set[${index}].http_client`;
    const client = isRecord(named) ? named : clients.get(named);
    if (client === undefined) return lowering.refuse(path, `there is no HTTP client ${JSON.stringify(named)}`);
    const { tag: _, detour, ...rest } = client;
    for (const key of Object.keys(rest))
      lowering.warn(`${path}.${key}`, `sing-box 1.${lowering.minor} fetches without it`);
    delete ruleSet['http_client'];
    // A client without a detour goes out directly; a rule-set without one would take the final outbound.
    ruleSet['download_detour'] = detour ?? directTag(config);
  }
  delete route['default_http_client'];
  delete config['http_clients'];
}

/** What is nearest to keeping all answers over a restart is keeping the refused ones. */
export function rejectedDnsCache(config: Json, lowering: Lowering): void {
  const cache = asRecord(asRecord(config['experimental'])['cache_file']);
  const { store_dns } = cache;
  delete cache['store_dns'];
  if (store_dns !== true) return;
  cache['store_rdrc'] = true;
  lowering.warn('experimental.cache_file.store_dns', `sing-box 1.${lowering.minor} keeps only refused DNS answers`);
}

/** What a DNS rule says about the answer. */
const answerFields = new Set([
  'ip_cidr',
  'ip_is_private',
  'ip_accept_any',
  'rule_set',
  'rule_set_ip_cidr_accept_empty',
]);

/**
 * `evaluate` by a server and then `respond` when the answer matches: the same as one rule of the older kind, whose server
 * is asked and whose address conditions the answer must meet. Other uses of `match_response` have no older form.
 */
export function addressRules(config: Json, lowering: Lowering): void {
  const dns = asRecord(config['dns']);
  const rules: unknown[] = Array.isArray(dns['rules']) ? dns['rules'] : [];
  const lowered: unknown[] = [];
  for (let index = 0; index < rules.length; index += 1) {
    const rule = asRecord(rules[index]);
    if (rule['action'] !== 'evaluate') {
      lowered.push(rules[index]);
      continue;
    }
    const filter = answerFilter(asRecord(rules[index + 1]));
    if (filter === undefined || textsIn(rule['rule_set']).length > 0) {
      const message = 'the rule after it must be match_response with addresses and respond';
      return lowering.refuse(`dns.rules[${index}]`, `before sing-box 1.14, ${message}`);
    }
    const { action: _, tag: _tag, ...asked } = rule;
    lowered.push({ ...asked, ...filter, action: 'route' });
    index += 1;
  }
  if (rules.length > 0) dns['rules'] = lowered;
}

function answerFilter(rule: Json): Json | undefined {
  const { match_response, action, ...filter } = rule;
  const keys = Object.keys(filter);
  const isFilter = match_response === true && action === 'respond' && keys.length > 0;
  return isFilter && keys.every((key) => answerFields.has(key)) ? filter : undefined;
}
