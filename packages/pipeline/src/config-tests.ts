import { ProblemError } from '@sbox/core';
import type { Json, RuleSetContents } from '@sbox/engines/sing-box/render';
import type { ConfigTest, ConfigTestExpect } from '@sbox/protocol/pipeline';
import { createDestinationExplainer, type DestinationExplanation, type RouteOptions } from './explain-destination.ts';

export interface ConfigTestResult {
  readonly name: string;
  readonly ok: boolean;
  /** One line: where it goes, or everything that is not as expected. */
  readonly detail: string;
  /** What is not as expected; empty when all is. */
  readonly reasons: readonly string[];
  /** Null when the destination cannot be read. */
  readonly route: DestinationExplanation | null;
}

/**
 * Runs the tests of a config against what is rendered. A connection that nobody can follow with certainty fails: a test
 * is to be relied on.
 */
export function runConfigTests(
  config: Json,
  tests: readonly ConfigTest[],
  ruleSets: RuleSetContents = new Map(),
  options: Omit<RouteOptions, 'ruleSets'> = {},
): ConfigTestResult[] {
  const explain = createDestinationExplainer(config, { ...options, ruleSets });
  return tests.map((test) => {
    const { name, expect, ...question } = test;
    try {
      const route = explain(question);
      const reasons = [...doubts(route), ...differences(expect, route)];
      return { name, ok: reasons.length === 0, detail: reasons.join('; ') || whereText(route), reasons, route };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return { name, ok: false, detail: error.message, reasons: [error.message], route: null };
    }
  });
}

const doubts = ({ unknown, broken }: DestinationExplanation): string[] => [
  ...unknown.map(
    ({ rule_index, facts }) => `rule ${rule_index} may take it, which cannot be said without: ${facts.join(', ')}`,
  ),
  ...(broken === undefined ? [] : [broken]),
];

/** What each expectation is held against; undefined where it holds, else what is there instead. */
const checks: {
  readonly [Key in keyof ConfigTestExpect]-?: (
    want: NonNullable<ConfigTestExpect[Key]>,
    route: DestinationExplanation,
  ) => string | undefined;
} = {
  rule(want, { rule_index, rule_text }) {
    if (want === 'final') return rule_index === null ? undefined : `rule ${rule_index}`;
    const isIt = typeof want === 'number' ? rule_index === want : rule_text?.includes(want) === true;
    return isIt ? undefined : rule_index === null ? 'no rule' : `rule ${rule_index} (${rule_text ?? ''})`;
  },
  group(want, { path }) {
    const groups = path.filter(({ type }) => type === 'selector' || type === 'urltest').map(({ tag }) => tag);
    return groups.includes(want) ? undefined : listed(groups, 'no group');
  },
  outbound(want, { outbound, leaves }) {
    if (outbound === want || (leaves.length === 1 && leaves[0] === want)) return undefined;
    return outbound === null ? 'no outbound' : listed([...new Set([outbound, ...leaves])], 'no outbound');
  },
  verdict: (want, { verdict }) => (verdict === want ? undefined : (verdict ?? 'a failure')),
};

function differences(expect: ConfigTestExpect, route: DestinationExplanation): string[] {
  const found = [
    expect.rule === undefined ? undefined : (['rule', expect.rule, checks.rule(expect.rule, route)] as const),
    expect.group === undefined ? undefined : (['group', expect.group, checks.group(expect.group, route)] as const),
    expect.outbound === undefined
      ? undefined
      : (['outbound', expect.outbound, checks.outbound(expect.outbound, route)] as const),
    expect.verdict === undefined
      ? undefined
      : (['verdict', expect.verdict, checks.verdict(expect.verdict, route)] as const),
  ];
  return found.flatMap((one) => {
    if (one === undefined) return [];
    const [what, want, instead] = one;
    return instead === undefined ? [] : [`${what} ${want} was expected, and it is ${instead}`];
  });
}

const listed = (tags: readonly string[], none: string): string => {
  const shown = tags.slice(0, 5).join(', ');
  return tags.length === 0 ? none : tags.length > 5 ? `${shown} and ${tags.length - 5} more` : shown;
};

const whereText = ({ verdict, rule_index, outbound }: DestinationExplanation): string =>
  `${verdict ?? 'fails'}${outbound === null ? '' : ` by ${outbound}`} (${rule_index === null ? 'final' : `rule ${rule_index}`})`;
