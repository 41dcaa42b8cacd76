import { redact } from '@sbox/core';
import { PolicyNode, type ExpressionNode } from './environment.ts';

type Document = Readonly<Record<string, unknown>>;

/** What expressions are asked about; plain, so that it can be sent to a thread. */
export interface ExpressionFacts {
  readonly nodes: readonly ExpressionNode[];
  readonly settings: Document;
  readonly version: Document;
}

/** The same, as expressions see it. */
export interface ExpressionContext {
  readonly variables: Readonly<Record<'config' | 'nodes' | 'settings' | 'version', unknown>>;
}

/**
 * @param config the rendered document; what is secret in it is hidden here, so that no expression can ask for it
 */
export const createExpressionContext = (config: Document, facts: ExpressionFacts): ExpressionContext => ({
  variables: {
    config: wholeNumbers(redact(config)),
    nodes: facts.nodes.map((node) => new PolicyNode(node)),
    settings: wholeNumbers(facts.settings),
    version: wholeNumbers(facts.version),
  },
});

/** JSON has one kind of number; in the language `port + 1` needs an integer. */
function wholeNumbers(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, wholeNumbers);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, wholeNumbers(item)]));
}
