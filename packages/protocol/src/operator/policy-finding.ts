import * as z from 'zod/mini';
import { policyNameSchema, policyReasonSchema, policyVerdictSchema } from '../pipeline/policy.ts';
import { countSchema, named } from '../schema.ts';

/** What a policy found in a config, by name or by place. */
export const policyFindingSchema = named(
  'PolicyFinding',
  'What a policy found in a config. Nothing in it is secret.',
  z.object({
    policy: policyNameSchema,
    /** What the policy says about findings: `deny` keeps the version from being published. */
    verdict: policyVerdictSchema,
    reason: policyReasonSchema,
    /** Set when it is about one node. */
    node: z.optional(z.object({ id: z.string(), tag: z.string(), subscription: z.string() })),
    /** Set when it is about a place in the config, as `dns.servers[1]`, with the tag of what is there. */
    path: z.optional(z.string()),
    tag: z.optional(z.string()),
    /** How many nodes there are, when it is about their number; how many more findings, when they are too many to name. */
    count: z.optional(countSchema),
    /** Why the policy could not be evaluated; `deny` denies then too. */
    problem: z.optional(z.object({ code: z.string(), detail: z.string() })),
  }),
);
