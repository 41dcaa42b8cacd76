import * as z from 'zod/mini';
import { nodeQuerySchema } from './query.ts';

const says = <S extends z.ZodMiniType>(schema: S, description: string): S =>
  schema.check(z.describe(description) as never);

export const policyNameSchema = says(
  z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be small letters, digits and -, at most 64')),
  'Small letters, digits and `-`.',
);
export const policyVerdictSchema = says(z.enum(['deny', 'warn']), 'What a finding does.');
export const policyReasonSchema = says(
  z.string().check(z.minLength(1), z.maxLength(500)),
  'What is wrong, for people.',
);

/** What must not be: by nodes that a query finds, or by an expression that has to be true. */
export const policyTestFields = {
  query: z.optional(says(nodeQuerySchema, 'The nodes that it is about.')),
  at_most: z.optional(
    says(z.int().check(z.minimum(0)), 'The most nodes of the query that are right; without numbers none is.'),
  ),
  at_least: z.optional(says(z.int().check(z.minimum(1)), 'The fewest nodes of the query that are right.')),
  expression: z.optional(
    says(
      z.string().check(z.minLength(1), z.maxLength(4000)),
      'Instead of a query: what has to be true of the config, in the Common Expression Language.',
    ),
  ),
};

interface PolicyTestFields {
  readonly query?: unknown;
  readonly at_most?: unknown;
  readonly at_least?: unknown;
  readonly expression?: unknown;
}

/** Either a query, with numbers or without, or an expression. */
export const isOneTest = ({ query, expression, at_most, at_least }: PolicyTestFields): boolean =>
  expression === undefined
    ? query !== undefined
    : query === undefined && at_most === undefined && at_least === undefined;
export const oneTestMessage = 'needs either a query or an expression; at_most and at_least go with a query';

/** Something that must not be in a config. */
export const policySchema = z
  .strictObject({
    name: policyNameSchema,
    verdict: policyVerdictSchema,
    reason: policyReasonSchema,
    ...policyTestFields,
    enabled: z.optional(says(z.boolean(), '`false` switches the policy off.')),
  })
  .check(z.refine(isOneTest, oneTestMessage));
export type Policy = z.output<typeof policySchema>;
