import { Environment } from '@marcbachmann/cel-js';
import { serialize } from '@marcbachmann/cel-js/serialize';
import { messageOf, ProblemError } from '@sbox/core';
import { RE2JS } from 're2js';

export const expressionLimits = { maxLength: 4000, maxAstNodes: 1000, maxDepth: 40 } as const;

// The library's parts need each other in a circle, which works out only when the whole was loaded first.
export { serialize };

/** What an expression knows of a node; ports and the like are whole numbers. */
export interface ExpressionNode {
  readonly id: string;
  /** As it is called in the config. */
  readonly name: string;
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  /** `none` when it is not known. */
  readonly country: string;
  readonly labels: readonly string[];
  readonly subscription: string;
  readonly transport: string;
  readonly security: string;
  readonly cipher: string;
  readonly insecure: boolean;
  readonly udp: boolean;
  readonly credentials: boolean;
}

/** The fields of a node with their types; what is not here is refused when the expression is written. */
export const nodeFieldTypes = {
  id: 'string',
  name: 'string',
  protocol: 'string',
  host: 'string',
  port: 'int',
  country: 'string',
  labels: 'list<string>',
  subscription: 'string',
  transport: 'string',
  security: 'string',
  cipher: 'string',
  insecure: 'bool',
  udp: 'bool',
  credentials: 'bool',
} as const satisfies Readonly<Record<keyof ExpressionNode, string>>;

/** What stands for a node inside of expressions: the library tells types apart by their class. */
export class PolicyNode {
  readonly id: string;
  readonly name: string;
  readonly subscription: string;
  constructor(node: ExpressionNode) {
    this.id = node.id;
    this.name = node.name;
    this.subscription = node.subscription;
    Object.assign(this, node, { port: BigInt(node.port) });
  }
}

/** Variables of every expression, for the environment and for docs. */
export const expressionVariables = {
  config: ['map<string, dyn>', 'The config as it is rendered for an engine, secrets hidden.'],
  nodes: ['list<Node>', 'The nodes that the pipeline left, in their order.'],
  settings: ['map<string, dyn>', 'The settings of the version.'],
  version: [
    'map<string, dyn>',
    'What else is known: `config` (its name), `template`, `subscriptions` (names), `rule_sets` (addresses), `engine` (its profile).',
  ],
} as const satisfies Readonly<Record<string, readonly [type: string, what: string]>>;

/** As long as `matches`, so that places in the text stay what they are. */
export const re2Name = 're2test';
const maxPatterns = 200;
const maxPatternLength = 1000;
const maxProgram = 2000;

/** RE2 takes time in proportion to the text, whatever the pattern is. @throws ProblemError `policy.invalid` */
export function compileRe2(pattern: string): RE2JS {
  const refuse = (why: string): never => {
    throw new ProblemError(
      'policy.invalid',
      `the regular expression ${JSON.stringify(pattern)} cannot be used: ${why}`,
    );
  };
  if (pattern.length > maxPatternLength) return refuse(`it is longer than ${maxPatternLength} characters`);
  try {
    const compiled = RE2JS.compile(pattern);
    return compiled.programSize() > maxProgram ? refuse('it is too large; use smaller repetitions') : compiled;
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    return refuse(messageOf(error).replace(/^error parsing regexp: /, ''));
  }
}

function createRe2Test(): (text: string, pattern: string) => boolean {
  const known = new Map<string, RE2JS>();
  return (text, pattern) => {
    let compiled = known.get(pattern);
    if (!compiled) {
      if (known.size >= maxPatterns) known.clear();
      compiled = compileRe2(pattern);
      known.set(pattern, compiled);
    }
    return compiled.test(text);
  };
}

/** The Common Expression Language with our variables; making one is slow, so there is one. */
export const environment = new Environment({
  homogeneousAggregateLiterals: false,
  enableOptionalTypes: true,
  limits: {
    maxAstNodes: expressionLimits.maxAstNodes,
    maxDepth: expressionLimits.maxDepth,
    maxListElements: 300,
    maxMapEntries: 100,
    maxCallArguments: 8,
  },
})
  .registerType('Node', { ctor: PolicyNode, fields: { ...nodeFieldTypes } })
  .registerFunction(`string.${re2Name}(string): bool`, createRe2Test());
for (const [name, [type]] of Object.entries(expressionVariables)) environment.registerVariable(name, type);
