// The thread that evaluates policies; see policy-evaluator.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { ProblemError } from '@sbox/core';
import { compilePolicy, createExpressionContext, joinBlames, type ExpressionFacts } from '@sbox/pipeline/expressions';
import type { PolicyJob, PolicyMessage, PolicyOutcome } from './policy-evaluator.ts';

const { documents, facts, expressions, first } = workerData as PolicyJob & { readonly first: number };

const say = (message: PolicyMessage): void => {
  // The port of a thread; only windows have origins.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort?.postMessage(message);
};

const contexts = documents.map((text) =>
  createExpressionContext(JSON.parse(text) as Record<string, unknown>, JSON.parse(facts) as ExpressionFacts),
);

function outcomeOf(expression: string): PolicyOutcome {
  try {
    const test = compilePolicy(expression);
    return { blame: joinBlames(contexts.flatMap((context) => test(context) ?? [])) };
  } catch (error) {
    if (error instanceof ProblemError) return { problem: { code: error.code, detail: error.message } };
    throw error;
  }
}

say({ ready: true });
for (const [index, expression] of expressions.entries()) {
  if (index < first) continue;
  say({ index, outcome: outcomeOf(expression) });
}
