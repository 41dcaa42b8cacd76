import { ProblemError } from '@sbox/core';
import type { Rendered } from '@sbox/engines/sing-box/render';
import { applyPolicies, expressionNodes, type Policy, type PolicyFinding } from '@sbox/pipeline';
import { compilePolicy, createExpressionContext, type ExpressionContext } from '@sbox/pipeline/expressions';
import type { Prepared } from './prepare.ts';
import type { Recipe } from './recipe.ts';

/**
 * What the policies find in a recipe; those with an expression look at the rendered config, which is made only for them.
 * One that cannot be evaluated is a finding too.
 */
export function runPolicies(
  policies: readonly Policy[],
  recipe: Recipe,
  { result, sources }: Pick<Prepared, 'result' | 'sources'>,
  render: () => Rendered,
): PolicyFinding[] {
  const nodes = result?.nodes ?? [];
  let context: ExpressionContext | undefined;
  const contextNow = (): ExpressionContext => {
    const { config } = render();
    return createExpressionContext(config, {
      nodes: expressionNodes(nodes),
      settings: recipe.settings as Readonly<Record<string, unknown>>,
      version: {
        config: '',
        template: recipe.template?.name ?? 'mixed',
        subscriptions: sources.map(({ subscription }) => subscription),
        rule_sets: [],
        engine: '',
      },
    });
  };
  return policies.flatMap((policy) => {
    try {
      return applyPolicies(nodes, [policy], ({ expression = '' }) => {
        const run = compilePolicy(expression);
        return run((context ??= contextNow()));
      });
    } catch (error) {
      if (!(error instanceof ProblemError) || policy.expression === undefined) throw error;
      const { name, verdict, reason } = policy;
      return [{ policy: name, verdict, reason, problem: { code: error.code, detail: error.message } }];
    }
  });
}

/** What a finding is about, in a word or two. */
export const placeOf = ({ node, path, tag, count, problem }: PolicyFinding): string => {
  if (problem) return problem.detail;
  if (node) return node.tag;
  if (path !== undefined) return tag === undefined ? path : `${path} (${tag})`;
  return count === undefined ? 'the config' : `${count} nodes`;
};
