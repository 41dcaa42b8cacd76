/** Policies as expressions, without what reads and renders nodes: a thread that runs them starts quickly. */
export { compilePolicy, type PolicyTest } from './compile-policy.ts';
export { joinBlames, type Blame, type BlamedPlace } from './blame.ts';
export { createExpressionContext, type ExpressionContext, type ExpressionFacts } from './expression-context.ts';
export { expressionLimits, expressionVariables, nodeFieldTypes, type ExpressionNode } from './environment.ts';
