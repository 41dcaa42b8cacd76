import {
  createRouteMatcher,
  ruleText,
  type Flow,
  type Json,
  type MatchOptions,
  type RouteMatch,
} from '@sbox/engines/sing-box/render';
import { readQuestion, type Question } from './destination.ts';
import { re2Regex } from './re2-regex.ts';

export type RouteOptions = Omit<MatchOptions, 'regex'>;

/** Where a connection goes, and why. */
export interface DestinationExplanation extends RouteMatch {
  /** The rule in one line; null when it is none. */
  readonly rule_text: string | null;
  /** False when a rule before it might have taken the connection: see `unknown`. */
  readonly is_certain: boolean;
}

/**
 * Makes a configuration ready to be asked where connections go. Rules and rule-sets are read once.
 */
export function createDestinationExplainer(config: Json, options: RouteOptions = {}) {
  const match = createRouteMatcher(config, { ...options, regex: re2Regex });
  /** @throws ProblemError `request.invalid` */
  return (question: Question): DestinationExplanation => {
    const { flow, assumed } = readQuestion(question);
    const found = match(flow);
    // What the answer does not hang on was not taken for granted.
    const facts = new Set<string>(assumed.map(({ fact }) => fact));
    const bare = Object.fromEntries(Object.entries(flow).filter(([fact]) => !facts.has(fact))) as unknown as Flow;
    const missing = new Set(assumed.length === 0 ? [] : match(bare).steps.flatMap((step) => step.facts ?? []));
    const needed = assumed.filter(({ fact }) => missing.has(fact)).map(({ text }) => text);
    return {
      ...found,
      assumed: [...needed, ...found.assumed],
      rule_text: found.rule === null ? null : ruleText(found.rule),
      is_certain: found.unknown.length === 0,
    };
  };
}

/**
 * Where one connection goes in a configuration, and why.
 * @throws ProblemError `request.invalid`
 */
export const explainDestination = (
  config: Json,
  question: Question,
  options: RouteOptions = {},
): DestinationExplanation => createDestinationExplainer(config, options)(question);
