import { isRecord, recordsIn, textsIn, type Json } from '../document.ts';
import type { Facts } from './route-facts.ts';
import {
  conditionsOf,
  type Answer,
  type Condition,
  type Group,
  type RegexFactory,
  type Truth,
} from './rule-conditions.ts';

/** A rule with its conditions made ready; rules of rule-sets are the same without an action. */
export type CompiledRule =
  | {
      readonly kind: 'default';
      readonly isInverted: boolean;
      readonly conditions: readonly Condition[];
      readonly sets?: RuleSets;
    }
  | {
      readonly kind: 'logical';
      readonly isInverted: boolean;
      readonly mode: 'and' | 'or';
      readonly rules: readonly CompiledRule[];
    };

interface RuleSets {
  readonly matchSource: boolean;
  readonly merging: Merging;
  /** `rules` is missing for a rule-set whose content is not at hand. */
  readonly list: readonly { readonly tag: string; readonly rules: readonly CompiledRule[] | undefined }[];
}

/**
 * Which rules of a rule-set may leave a group (address, port, ...) to the rule that names the set: up to 1.13 each of
 * them, since 1.14 only one that is the set's only rule. Others hold by themselves or not at all.
 */
export type Merging = 'each' | 'single';

export interface CompileContext {
  readonly merging: Merging;
  readonly regex: RegexFactory;
  /** Rules of a rule-set by its tag; undefined where they are not at hand. */
  readonly ruleSet: (tag: string) => readonly CompiledRule[] | undefined;
}

export function compileRule(rule: Json, context: CompileContext): CompiledRule {
  const isInverted = rule['invert'] === true;
  if (rule['type'] === 'logical') {
    const rules = recordsIn(rule['rules']).map((inner) => compileRule(inner, context));
    return { kind: 'logical', isInverted, mode: rule['mode'] === 'or' ? 'or' : 'and', rules };
  }
  const conditions = conditionsOf(rule, context.regex);
  const list = textsIn(rule['rule_set']).map((tag) => ({ tag, rules: context.ruleSet(tag) }));
  const matchSource = rule['rule_set_ip_cidr_match_source'] === true || rule['rule_set_ipcidr_match_source'] === true;
  return {
    kind: 'default',
    isInverted,
    conditions,
    ...(list.length > 0 && { sets: { matchSource, merging: context.merging, list } }),
  };
}

/**
 * Which of the four groups hold, as bits. Because of `Merging`, a rule answers with every combination of groups by which
 * it can hold: bit `n` of a `States` is the combination `n`.
 */
type States = number;
const groupBits: Readonly<Record<Exclude<Group, 'other'>, number>> = {
  source_address: 1,
  source_port: 2,
  address: 4,
  port: 8,
};
const allGroups = 15;
const none: States = 0;
const only = (combination: number): States => 1 << combination;

const combinationsOf = (states: States): number[] =>
  Array.from({ length: 16 }, (_, combination) => combination).filter((combination) => states & only(combination));

const combine = (a: States, b: States): States =>
  combinationsOf(a).reduce(
    (sum, left) => combinationsOf(b).reduce((all, right) => all | only(left | right), sum),
    none,
  );

/**
 * Unknown conditions are taken as failing (`least`) and as holding (`most`). A rule that holds even so holds, one that
 * fails even so fails, and in between nobody knows. Inside an inverted rule the two change places.
 */
type Bound = 'least' | 'most';

interface Question {
  readonly facts: Facts;
  readonly bound: Bound;
  readonly matchSource: boolean;
  /** Groups that the rule around this one has found to hold. */
  readonly base: number;
}

export function ruleTruth(rule: CompiledRule, facts: Facts): Truth {
  const ask = (bound: Bound): States => statesOf(rule, { facts, bound, matchSource: false, base: 0 });
  if (ask('least') !== none) return 'yes';
  return ask('most') === none ? 'no' : 'unknown';
}

function statesOf(rule: CompiledRule, question: Question): States {
  if (!rule.isInverted) return plainStates(rule, question);
  // The engine takes a rule without conditions as one that holds, inverted or not.
  if (rule.kind === 'default' && rule.conditions.length === 0 && rule.sets === undefined) return only(question.base);
  const bound = question.bound === 'least' ? 'most' : 'least';
  return plainStates(rule, { ...question, bound, base: 0 }) === none ? only(question.base) : none;
}

const plainStates = (rule: CompiledRule, question: Question): States =>
  rule.kind === 'logical' ? logicalStates(rule, question) : defaultStates(rule, question);

function logicalStates(rule: CompiledRule & { kind: 'logical' }, question: Question): States {
  // The engine forgets about the source inside logical rules.
  const inner = rule.rules.map((one) => statesOf(one, { ...question, matchSource: false }));
  if (rule.mode === 'or') return inner.reduce((sum, states) => sum | states, none);
  return inner.reduce(combine, only(question.base));
}

function defaultStates(rule: CompiledRule & { kind: 'default' }, question: Question): States {
  const { facts, bound, matchSource } = question;
  let [needed, held] = [0, question.base];
  for (const condition of rule.conditions) {
    const { truth } = condition.answer(facts, matchSource);
    const isHeld = truth === 'yes' || (truth === 'unknown' && bound === 'most');
    const group = groupOf(condition, matchSource);
    if (group === 'other') {
      if (!isHeld) return none;
      continue;
    }
    needed |= groupBits[group];
    if (isHeld) held |= groupBits[group];
  }
  if (rule.sets === undefined) return (held & needed) === needed ? only(held) : none;
  const states = setStates(rule.sets, { ...question, base: held });
  return combinationsOf(states).reduce(
    (sum, combination) => ((combination & needed) === needed ? sum | only(combination) : sum),
    none,
  );
}

const groupOf = ({ group, isIpCidr }: Condition, matchSource: boolean): Group =>
  matchSource && isIpCidr === true ? 'source_address' : group;

function setStates({ list, matchSource, merging }: RuleSets, question: Question): States {
  return list.reduce((sum, { rules }) => {
    if (rules === undefined) return question.bound === 'most' ? sum | only(allGroups) : sum;
    const inner = { ...question, matchSource };
    if (merging === 'each' || isMergeable(rules)) return rules.reduce((all, rule) => all | statesOf(rule, inner), sum);
    return rules.some((rule) => statesOf(rule, { ...inner, base: 0 }) !== none) ? sum | only(question.base) : sum;
  }, none);
}

const isMergeable = ([rule, ...others]: readonly CompiledRule[]): boolean =>
  rule?.kind === 'default' && !rule.isInverted && others.length === 0;

/** One condition with what it said. */
export interface AnsweredCondition extends Answer {
  readonly field: string;
  readonly group: Group;
}

/** What each condition of a default rule says by itself; a rule-set with the first of its rules that fits. */
export function answersOf(rule: CompiledRule & { kind: 'default' }, facts: Facts): AnsweredCondition[] {
  const answers = rule.conditions.map((condition): AnsweredCondition => ({
    field: condition.field,
    group: condition.group,
    ...condition.answer(facts, false),
  }));
  if (rule.sets === undefined) return answers;
  return [...answers, setAnswer(rule.sets, rule, facts)];
}

function setAnswer(
  { list, matchSource, merging }: RuleSets,
  rule: CompiledRule & { kind: 'default' },
  facts: Facts,
): AnsweredCondition {
  const base = rule.conditions.reduce((bits, { group, answer }) => {
    if (group === 'other' || answer(facts, false).truth !== 'yes') return bits;
    return bits | groupBits[group];
  }, 0);
  const holds = (bound: Bound, rules: readonly CompiledRule[]) => (inner: CompiledRule) => {
    const isMerged = merging === 'each' || isMergeable(rules);
    return statesOf(inner, { facts, bound, matchSource, base: isMerged ? base : 0 }) !== none;
  };
  const field = 'rule_set';
  for (const { tag, rules } of list) {
    const found = rules?.find(holds('least', rules));
    if (found !== undefined)
      return { field, group: 'other', truth: 'yes', item: `${tag}${insideOf(found, facts, matchSource)}` };
  }
  const open = list.find(({ rules }) => rules === undefined || rules.some(holds('most', rules)));
  if (open === undefined) return { field, group: 'other', truth: 'no' };
  const inside = open.rules?.find(holds('most', open.rules));
  const fact =
    inside === undefined ? `the content of the rule-set "${open.tag}"` : (factsMissing(inside, facts)[0] ?? open.tag);
  return { field, group: 'other', truth: 'unknown', fact };
}

/** The condition of a rule-set's rule that fits, as ` (domain_suffix example.com)`. */
function insideOf(rule: CompiledRule, facts: Facts, matchSource: boolean): string {
  if (rule.kind === 'logical' || rule.isInverted) return '';
  const fitting = rule.conditions.flatMap(({ field, answer }) => {
    const { truth, item } = answer(facts, matchSource);
    return truth === 'yes' ? [`${field} ${item}`] : [];
  });
  return fitting.length === 0 ? '' : ` (${fitting.join(', ')})`;
}

/** What would have to be known for a rule to be decided. */
export function factsMissing(rule: CompiledRule, facts: Facts): string[] {
  const found =
    rule.kind === 'logical'
      ? rule.rules.flatMap((inner) => (ruleTruth(inner, facts) === 'unknown' ? factsMissing(inner, facts) : []))
      : answersOf(rule, facts).flatMap(({ truth, fact }) => (truth === 'unknown' && fact !== undefined ? [fact] : []));
  return [...new Set(found)];
}

/** Rules of a rule-set document, ready for use. */
export const compileRuleSet = (rules: readonly unknown[], regex: RegexFactory): CompiledRule[] =>
  rules.filter(isRecord).map((rule) => compileRule(rule, { regex, merging: 'single', ruleSet: () => undefined }));
