import { isRecord, recordsIn, textsIn, type Json } from '../document.ts';
import { definitionsIn, visitPlaces } from './references.ts';

export type AdviceCode = 'rule-set.remote' | 'rule.never' | 'rule.unreachable' | 'inbound.missing';

/** Something that the engine takes and that is hardly meant. */
export interface Advice {
  readonly code: AdviceCode;
  /** As sing-box writes it: `route.rules[3].domain`. */
  readonly path: string;
  readonly message: string;
}

/** What works and should not be left so: a start that needs the network, and rules that can take nothing. */
export function adviceFor(config: unknown): Advice[] {
  if (!isRecord(config)) return [];
  return [...remoteRuleSets(config), ...missingInbounds(config), ...capitals(config), ...unreachable(config)];
}

function remoteRuleSets(config: Json): Advice[] {
  return found(config, ['route.rule_set[].url'], (url, set) => {
    if (set['type'] !== 'remote' || typeof url !== 'string') return undefined;
    return ['rule-set.remote', 'the engine fetches this rule-set when it starts, and does not start where it cannot'];
  });
}

/** The engine takes an inbound that is not there for a condition that is never met. */
function missingInbounds(config: Json): Advice[] {
  const known = new Set(
    definitionsIn(config).flatMap(({ kind, tag, path }) =>
      kind === 'inbound' || path.startsWith('endpoints') ? [tag] : [],
    ),
  );
  return found(config, ['route.rules[].inbound', 'dns.rules[].inbound'], (names) => {
    const missing = textsIn(names).find((name) => !known.has(name));
    return missing === undefined
      ? undefined
      : ['inbound.missing', `there is no inbound "${missing}": nothing comes in by it`];
  });
}

/** Only the host is made small before both are compared. */
function capitals(config: Json): Advice[] {
  const fields = ['domain', 'domain_suffix', 'domain_keyword'];
  const paths = ['route', 'dns'].flatMap((part) => fields.map((field) => `${part}.rules[].${field}`));
  return found(config, [...paths, ...fields.map((field) => `route.rule_set[].rules[].${field}`)], (values) => {
    const capital = textsIn(values).find((value) => value !== value.toLowerCase());
    return capital === undefined
      ? undefined
      : ['rule.never', `"${capital}" fits nothing: hosts are compared in small letters`];
  });
}

/** Behind a rule that takes everything no other is asked. */
function unreachable(config: Json): Advice[] {
  const ends = new Set([undefined, '', 'route', 'reject', 'hijack-dns']);
  const conditions = (rule: Json): string[] =>
    Object.keys(rule).filter((key) => !['action', 'outbound', 'method', 'no_drop', 'invert'].includes(key));
  const rules = recordsIn(isRecord(config['route']) ? config['route']['rules'] : []);
  const last = rules.findIndex(
    (rule) => ends.has(rule['action'] as string | undefined) && conditions(rule).length === 0,
  );
  if (last < 0 || last === rules.length - 1) return [];
  const message = `rule ${last} takes everything, so that no rule behind it is asked`;
  return [{ code: 'rule.unreachable', path: `route.rules[${last}]`, message }];
}

type Test = (value: unknown, holder: Json) => readonly [AdviceCode, string] | undefined;

function found(config: Json, paths: readonly string[], test: Test): Advice[] {
  const advice: Advice[] = [];
  for (const path of paths) {
    visitPlaces(config, path, ({ object, path: before }, field) => {
      const [code, message] = test(object[field], object) ?? [];
      if (code !== undefined && message !== undefined) advice.push({ code, path: `${before}${field}`, message });
    });
  }
  return advice;
}
