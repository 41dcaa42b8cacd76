import { messageOf, ProblemError } from '@sbox/core';
import { re2Regex } from '@sbox/pipeline';
import { clientFormats, type ClientFormat, type ClientRule } from '@sbox/protocol';

/** What a rule looks at, and what was asked for in so many words. */
export interface Asked {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly query?: ClientFormat | undefined;
  readonly path?: ClientFormat | undefined;
}

export interface RuleSource {
  readonly of: 'client' | 'all';
  readonly rules: readonly ClientRule[];
}

export interface RuleStep {
  readonly rule: string;
  readonly of: RuleSource['of'];
  readonly matched: boolean;
  readonly reason: string;
}

export interface Decision {
  /** What decides: the name of a rule, or `(query)`, `(path)`, `(default)`. */
  readonly rule: string;
  readonly answer: ClientRule['answer'];
  /** Of the rule that matched, whatever decides the format. */
  readonly headers: Readonly<Record<string, string>>;
  readonly steps: readonly RuleStep[];
}

const byAgent = (name: string, value: string, answer: ClientFormat): ClientRule => ({
  name,
  enabled: true,
  match: 'all',
  conditions: [{ header: 'user-agent', operator: 'matches', value, case_sensitive: false }],
  answer,
  headers: {},
});

/** What the programs of the field call themselves; others can read base64. */
export const defaultRules: readonly ClientRule[] = [
  {
    ...byAgent('browsers', '', 'html'),
    conditions: [{ header: 'accept', operator: 'contains', value: 'text/html', case_sensitive: false }],
  },
  byAgent(
    'mihomo',
    '^(?:flclash|flowvy|murge|mihomo|prizrak-box|koala-clash|clash(?:-verge|-nyanpasu|x meta|[-.]?meta))',
    'clash',
  ),
  byAgent('stash', '^stash', 'clash'),
  byAgent('sing-box', '^(?:sfa|sfi|sfm|sft|karing|hiddify|sing-?box)', 'sing-box'),
  byAgent('clash', '^clash', 'clash'),
];

export const isFormat = (answer: ClientRule['answer']): answer is ClientFormat =>
  (clientFormats as readonly string[]).includes(answer);

/**
 * Asks the rules in order; the first that matches decides. A format that was asked for goes before the one of a rule, but
 * not before a refusal: who is blocked is not let in by another address.
 */
export function decide(sources: readonly RuleSource[], asked: Asked, otherwise: ClientFormat): Decision {
  const steps: RuleStep[] = [];
  const matched = firstMatch(sources, asked, steps);
  const { answer = otherwise, name = '(default)', headers = {} } = matched ?? {};
  const common = { headers, steps };
  if (!isFormat(answer)) return { rule: name, answer, ...common };
  if (asked.query !== undefined) return { rule: '(query)', answer: asked.query, ...common };
  if (asked.path !== undefined) return { rule: '(path)', answer: asked.path, ...common };
  return { rule: name, answer, ...common };
}

function firstMatch(sources: readonly RuleSource[], asked: Asked, steps: RuleStep[]): ClientRule | undefined {
  for (const { of, rules } of sources)
    for (const rule of rules) {
      const { matched, reason } = matches(rule, asked);
      steps.push({ rule: rule.name, of, matched, reason });
      if (matched) return rule;
    }
  return undefined;
}

function matches({ enabled, match, conditions }: ClientRule, { headers }: Asked): { matched: boolean; reason: string } {
  if (!enabled) return { matched: false, reason: 'it is switched off' };
  if (conditions.length === 0) return { matched: true, reason: 'it has no conditions' };
  const isAll = match === 'all';
  // The first condition that says otherwise decides, and is the reason.
  const decisive = conditions.find((condition) => holds(condition, headers) !== isAll);
  const matched = (decisive === undefined) === isAll;
  const shown = decisive ?? (isAll ? conditions[0] : undefined);
  if (shown === undefined) return { matched, reason: 'none of its conditions holds' };
  const words = `${shown.header} ${shown.operator} ${shown.value}`.trim();
  const isOne = conditions.length === 1 || decisive !== undefined;
  return { matched, reason: matched ? (isOne ? words : 'all of its conditions hold') : `not: ${words}` };
}

type Condition = ClientRule['conditions'][number];

/** Nobody's name is longer, and a request cannot make matching take long. */
const longestLookedAt = 512;

function holds({ header, operator, value, case_sensitive }: Condition, headers: Asked['headers']): boolean {
  const text = (headers[header] ?? '').slice(0, longestLookedAt);
  const [, negation, positive = operator] = /^(not-)?(.+)$/.exec(operator) ?? [];
  return holdsPlainly(positive, { text, value, case_sensitive }) !== (negation !== undefined);
}

interface Compared {
  readonly text: string;
  readonly value: string;
  readonly case_sensitive: boolean;
}

function holdsPlainly(operator: string, compared: Compared): boolean {
  if (operator === 'exists') return compared.text !== '';
  if (operator === 'matches') return patternOf(compared).test(compared.text);
  const [text, value] = compared.case_sensitive
    ? [compared.text, compared.value]
    : [compared.text.toLowerCase(), compared.value.toLowerCase()];
  if (operator === 'contains') return text.includes(value);
  if (operator === 'starts-with') return text.startsWith(value);
  if (operator === 'ends-with') return text.endsWith(value);
  return text === value;
}

type Pattern = ReturnType<typeof re2Regex>;
const patterns = new Map<string, Pattern>();
const mostPatterns = 1000;

/** Compiled once; linear in the text, so that nobody can hold the manager up. */
function patternOf({ value, case_sensitive }: Pick<Compared, 'value' | 'case_sensitive'>): Pattern {
  const expression = case_sensitive ? value : `(?i)${value}`;
  const known = patterns.get(expression);
  if (known) return known;
  if (patterns.size >= mostPatterns) patterns.clear();
  const made = re2Regex(expression);
  patterns.set(expression, made);
  return made;
}

/** @throws ProblemError `request.invalid` for an expression that cannot be compiled */
export function checkRules(rules: readonly ClientRule[]): void {
  for (const [index, { conditions }] of rules.entries())
    for (const [at, condition] of conditions.entries()) {
      if (!condition.operator.endsWith('matches')) continue;
      try {
        patternOf(condition);
      } catch (error) {
        const field = `rules.${index}.conditions.${at}.value`;
        const message = `is no expression that can be used: ${messageOf(error)}`;
        throw new ProblemError('request.invalid', `${field}: ${message}`, {
          details: { issues: [{ where: 'body', field, message }] },
        });
      }
    }
}
