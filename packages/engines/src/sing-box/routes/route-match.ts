import { asRecord, isRecord, recordsIn, tagOf, textsIn, type Json } from '../document.ts';
import { createOutboundPaths, type OutboundPath, type Selected } from './outbound-path.ts';
import { defaultMode, factsAfter, firstFacts, mergeFacts, type Facts, type Flow } from './route-facts.ts';
import { plainRegex, type RegexFactory, type Truth } from './rule-conditions.ts';
import { compileRule, compileRuleSet, factsMissing, ruleTruth, type CompiledRule } from './rule-evaluation.ts';
import { actionText, whyText } from './route-text.ts';
import type { RuleSet } from './rule-sets-json.ts';
import { newestMinor } from '../supported-lines.ts';

export type { Flow } from './route-facts.ts';

/** Contents of rule-sets by tag, path or address; the inline ones of the configuration need none. */
export type RuleSetContents = ReadonlyMap<string, RuleSet>;

export interface RouteStep {
  readonly rule_index: number;
  readonly result: Truth;
  readonly action: string;
  /** False for actions after which the engine goes on to the next rule. */
  readonly is_final: boolean;
  /** One line for a person. */
  readonly why: string;
  /** For `unknown`: what would decide it. */
  readonly facts?: readonly string[];
}

export interface RouteMatch extends OutboundPath {
  /** `null`: no rule took it, so that it goes to the final outbound. */
  readonly rule_index: number | null;
  readonly rule: Json | null;
  readonly action: 'route' | 'reject' | 'hijack-dns' | 'bypass';
  readonly outbound: string | null;
  /** Every rule that was looked at, in order. */
  readonly steps: readonly RouteStep[];
  /** Rules before the one found that might have taken the connection, and what would decide it. Empty: it is certain. */
  readonly unknown: readonly { readonly rule_index: number; readonly facts: readonly string[] }[];
  /** What the engine starts with and somebody may have changed since. */
  readonly assumed: readonly string[];
}

export interface MatchOptions {
  readonly ruleSets?: RuleSetContents;
  /** Go's RE2, which is what the engine has; by default only expressions that are safe in JavaScript are tried. */
  readonly regex?: RegexFactory;
  readonly selected?: Selected;
  /** Of the engine; the newest when it is not given. Rule-sets hold in another way since 1.14. */
  readonly version?: string;
}

const finalActions = new Set(['route', 'reject', 'hijack-dns', 'bypass']);

/**
 * Says where sing-box 1.11 to 1.14 sends a connection, and why. Pure: nothing is resolved or dialled, and a rule that
 * needs something which `flow` does not say is reported as unknown, never guessed.
 */
export const matchRoute = (config: Json, flow: Flow, ruleSets: RuleSetContents = new Map()): RouteMatch =>
  createRouteMatcher(config, { ruleSets })(flow);

/** `matchRoute` for many connections: rules and rule-sets are made ready once. */
export function createRouteMatcher(config: Json, options: MatchOptions = {}): (flow: Flow) => RouteMatch {
  const route = asRecord(config['route']);
  const rules = recordsIn(route['rules']);
  const compiled = compileRules(rules, route, options);
  const pathOf = createOutboundPaths(config);
  const final = finalOutbound(config);
  return (flow) => {
    const found = search({ config, rules, compiled, flow });
    const rule = found.rule_index === null ? null : (rules[found.rule_index] ?? null);
    const action = rule === null ? 'route' : (actionOf(rule) as RouteMatch['action']);
    const base = { ...found, rule, action, assumed: assumptions(config, flow, rules) };
    if (action === 'reject') return { ...base, outbound: null, path: [], leaves: [], verdict: 'reject' };
    if (action === 'hijack-dns') return { ...base, outbound: null, path: [], leaves: [], verdict: 'dns' };
    const outbound = rule === null ? final : (textsIn(rule['outbound'])[0] ?? '');
    return { ...base, outbound, ...pathOf(outbound, rule === null ? 'final' : 'rule', options.selected) };
  };
}

function compileRules(rules: readonly Json[], route: Json, options: MatchOptions): CompiledRule[] {
  const regex = options.regex ?? plainRegex;
  const sets = new Map(
    recordsIn(route['rule_set']).flatMap((item) => textsIn(item['tag']).map((tag) => [tag, item] as const)),
  );
  const ready = new Map<string, CompiledRule[] | undefined>();
  const ruleSet = (tag: string): CompiledRule[] | undefined => {
    if (!ready.has(tag)) ready.set(tag, contentOf(tag, sets.get(tag) ?? {}, options.ruleSets, regex));
    return ready.get(tag);
  };
  const minor = Number(/^v?1\.(\d+)/.exec(options.version ?? '')?.[1] ?? newestMinor);
  const context = { regex, ruleSet, merging: minor < newestMinor ? ('each' as const) : ('single' as const) };
  return rules.map((rule) => compileRule(rule, context));
}

function contentOf(tag: string, item: Json, contents: RuleSetContents | undefined, regex: RegexFactory) {
  const given = [tag, item['path'], item['url']]
    .map((key) => (typeof key === 'string' ? contents?.get(key) : undefined))
    .find((content) => content !== undefined);
  const rules = given?.rules ?? item['rules'];
  return Array.isArray(rules) ? compileRuleSet(rules, regex) : undefined;
}

interface Search {
  readonly config: Json;
  readonly rules: readonly Json[];
  readonly compiled: readonly CompiledRule[];
  readonly flow: Flow;
}

function search({ config, rules, compiled, flow }: Search): Pick<RouteMatch, 'rule_index' | 'steps' | 'unknown'> {
  const steps: RouteStep[] = [];
  const unknown: { rule_index: number; facts: readonly string[] }[] = [];
  let facts: Facts = firstFacts(config, flow);
  for (const [rule_index, rule] of rules.entries()) {
    const ready = compiled[rule_index] as CompiledRule;
    const result = ruleTruth(ready, facts);
    const is_final = isFinal(rule);
    const missing = result === 'unknown' ? { facts: factsMissing(ready, facts) } : undefined;
    steps.push({
      rule_index,
      result,
      action: actionText(rule),
      is_final,
      why: whyText(ready, facts, result),
      ...missing,
    });
    if (result === 'no') continue;
    if (is_final && result === 'yes') return { rule_index, steps, unknown };
    if (is_final) unknown.push({ rule_index, facts: missing?.facts ?? [] });
    else {
      const after = factsAfter(facts, rule, flow);
      facts = result === 'yes' ? after : mergeFacts(facts, after);
    }
  }
  return { rule_index: null, steps, unknown };
}

const actionOf = (rule: Json): string =>
  typeof rule['action'] === 'string' && rule['action'] !== '' ? rule['action'] : 'route';

/** A bypass without an outbound is for traffic that the engine can leave to the system; elsewhere it is passed over. */
const isFinal = (rule: Json): boolean =>
  finalActions.has(actionOf(rule)) && (actionOf(rule) !== 'bypass' || typeof rule['outbound'] === 'string');

/** Where connections go that no rule takes: `route.final`, else the first outbound. */
function finalOutbound(config: Json): string {
  const { final } = asRecord(config['route']);
  if (typeof final === 'string' && final !== '') return final;
  const [first] = Array.isArray(config['outbounds']) ? config['outbounds'].filter(isRecord) : [];
  return first === undefined ? 'direct' : tagOf(first, 0);
}

function assumptions(config: Json, flow: Flow, rules: readonly Json[]): string[] {
  const asksMode = (rule: Json): boolean => 'clash_mode' in rule || recordsIn(rule['rules']).some(asksMode);
  return flow.clash_mode === undefined && rules.some(asksMode) ? [`the mode is "${defaultMode(config)}"`] : [];
}
