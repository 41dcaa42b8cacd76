import * as z from 'zod/mini';
import { countSchema, named } from '../schema.ts';

/** What the routes that explain and compare configs answer; engines and pipelines have the same shapes. */

const listed = { index: countSchema, text: z.string() };
const listDiffSchema = z.object({
  added: z.array(z.object(listed)),
  removed: z.array(z.object(listed)),
  moved: z.array(z.object({ ...listed, from: countSchema })),
  changed: z.array(z.object({ ...listed, from: countSchema })),
});
const changedSchema = z.object({ tag: z.string(), fields: z.array(z.string()) });
const tagged = { added: z.array(z.string()), removed: z.array(z.string()), changed: z.array(changedSchema) };

/** Names of fields and rules in words; never the values of nodes. */
export const changesFields = {
  /** `+3 nodes DE, −1 rule, DNS unchanged`. */
  summary: z.string(),
  outbounds: z.object({ ...tagged, renamed: z.array(z.object({ from: z.string(), to: z.string() })) }),
  groups: z.object({
    ...tagged,
    changed: z.array(
      z.extend(changedSchema, { members_added: z.array(z.string()), members_removed: z.array(z.string()) }),
    ),
  }),
  rules: listDiffSchema,
  rule_sets: z.object(tagged),
  dns: z.object({ servers: z.object(tagged), rules: listDiffSchema, fields: z.array(z.string()) }),
  inbounds: z.object(tagged),
  /** Everything else, by its path. */
  other: z.array(z.string()),
};
const changesSchema = named(
  'ConfigChanges',
  'What two configs mean differently, part by part.',
  z.object(changesFields),
);

const truth = z.enum(['yes', 'no', 'unknown']);

export const nodeExplanationSchema = named(
  'NodeExplanation',
  'Where a node came from, what was done to it, and where it is now.',
  z.object({
    node_id: z.string(),
    /** Every place where a subscription has it. */
    sources: z.array(z.object({ subscription: z.string(), tag: z.string(), line: z.optional(countSchema) })),
    protocol: z.string(),
    country: z.optional(z.string()),
    /** What each operator did to it; `index` -1 is the end of the pipeline. */
    steps: z.array(z.object({ index: z.int(), operator: z.string(), what: z.string() })),
    verdict: z.enum(['kept', 'dropped']),
    /** Its name in the end. */
    tag: z.optional(z.string()),
    labels: z.array(z.string()),
    /** Every group of the config that it is in. */
    groups: z.array(z.string()),
    /** Engines that cannot run it. */
    left_out: z.array(z.object({ profile: z.string(), code: z.string(), reason: z.string() })),
  }),
);

export const routeExplanationSchema = named(
  'RouteExplanation',
  'Where a connection goes, and why; what cannot be known is said, not guessed.',
  z.object({
    action: z.string(),
    /** Null: no rule took it, so that it goes to the final outbound. */
    rule_index: z.nullable(countSchema),
    outbound: z.nullable(z.string()),
    /** From outbound to outbound; `any_of` is what a urltest chooses from. */
    path: z.array(
      z.object({ tag: z.string(), type: z.string(), how: z.string(), any_of: z.optional(z.array(z.string())) }),
    ),
    leaves: z.array(z.string()),
    verdict: z.nullable(z.string()),
    broken: z.optional(z.string()),
    /** Every rule that was looked at. */
    steps: z.array(
      z.object({
        rule_index: countSchema,
        result: truth,
        action: z.string(),
        is_final: z.boolean(),
        why: z.string(),
        facts: z.optional(z.array(z.string())),
      }),
    ),
    /** Rules that might have taken it, and what would decide that. */
    unknown: z.array(z.object({ rule_index: countSchema, facts: z.array(z.string()) })),
    /** What was taken for granted. */
    assumed: z.array(z.string()),
    /** The rule in one line; null when no rule took it. */
    rule_text: z.nullable(z.string()),
    /** False when a rule before it might have taken the connection: see `unknown`. */
    is_certain: z.boolean(),
  }),
);

export const testResultSchema = named(
  'ConfigTestResult',
  'What a test of a config found.',
  z.object({
    name: z.string(),
    ok: z.boolean(),
    /** Where the connection goes, or everything that is not as expected. */
    detail: z.string(),
    /** What is not as expected. */
    reasons: z.array(z.string()),
    /** Null when the destination cannot be read. */
    route: z.nullable(routeExplanationSchema),
  }),
);

const deprecationSchema = named(
  'Deprecation',
  'Something that an engine version warns about or no longer takes.',
  z.object({
    name: z.string(),
    path: z.string(),
    since: z.string(),
    error_from: z.string(),
    removed_in: z.string(),
    instead: z.string(),
    effect: z.enum(['warns', 'fails']),
  }),
);

const warningSchema = z.object({ code: z.string(), path: z.string(), message: z.string() });
const leftOut = z.object({ node_id: z.string(), tag: z.string(), code: z.string(), reason: z.string() });

export const upgradeSchema = named(
  'UpgradePreview',
  'What another version of the engine would change.',
  z.object({
    from: z.string(),
    to: z.string(),
    /** False when the config could not be made, or would not run. */
    ok: z.boolean(),
    /** Why it could not be made. */
    problem: z.nullable(z.object({ code: z.string(), detail: z.string() })),
    changes: z.nullable(changesSchema),
    /** Nodes that only one of the two can run. */
    lost: z.array(leftOut),
    gained: z.array(leftOut),
    warnings: z.array(warningSchema),
    /** What the new version warns about or refuses, by its name. */
    deprecations: z.array(deprecationSchema),
    /** What it would say against the old text, and is written in the new way. */
    rewritten: z.array(deprecationSchema),
    /** What is taken as before and does something else. */
    behaviour: z.array(z.object({ name: z.string(), path: z.string(), since: z.string(), what: z.string() })),
    findings: z.array(warningSchema),
    /** Tests of the config that hold before and not after. */
    broken_tests: z.array(testResultSchema),
    /** What the engine beside the manager says; null when it is another version. */
    engine_check: z.nullable(z.object({ ok: z.boolean(), message: z.string() })),
  }),
);

export const capabilitySchema = named(
  'Capability',
  'What an engine must be to run a protocol, a transport or a feature.',
  z.object({
    engine: z.string(),
    kind: z.string(),
    name: z.string(),
    /** First version that has it; none has it without. */
    since: z.optional(z.string()),
    /** Build tags that it needs. */
    tags: z.array(z.string()),
    /** Where it is lacking, nodes run without it; otherwise they are left out. */
    optional: z.boolean(),
    /** Of the asked engine; not there when none was asked for. */
    available: z.optional(z.boolean()),
    reason: z.optional(z.string()),
  }),
);
