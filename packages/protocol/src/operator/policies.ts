import * as z from 'zod/mini';
import {
  isOneTest,
  oneTestMessage,
  policyNameSchema,
  policyReasonSchema,
  policyTestFields,
  policyVerdictSchema,
} from '../pipeline/policy.ts';
import { route } from '../route.ts';
import {
  countSchema,
  idempotencyHeaders,
  idSchema,
  ifMatchHeaders,
  named,
  nameSchema,
  page,
  pageQuery,
  timeSchema,
} from '../schema.ts';
import { policyFindingSchema } from './policy-finding.ts';
import { versionBodySchema } from './version-names.ts';

const description = z.string().check(z.maxLength(2000));
/** Names or ids of configs; null: all, also those that come later. */
const configsSchema = z.nullable(z.array(idSchema).check(z.minLength(1), z.maxLength(1000)));

const policySchema = named(
  'PolicyView',
  'What must not be in a config, for all configs or some: nodes that a query finds, or an expression that is not true.',
  z.object({
    name: policyNameSchema,
    description: z.string(),
    verdict: policyVerdictSchema,
    reason: policyReasonSchema,
    ...policyTestFields,
    /** Null: all of them. */
    configs: z.nullable(z.array(z.object({ id: idSchema, name: nameSchema }))),
    enabled: z.boolean(),
    /** Comes with sbox: its test is what this version of sbox brings. */
    built_in: z.boolean(),
    /** 0: as it came. */
    revision: countSchema,
    created_at: z.nullable(timeSchema),
    updated_at: z.nullable(timeSchema),
  }),
);

const writeSchema = z
  .strictObject({
    name: policyNameSchema,
    description: z._default(description, ''),
    verdict: z._default(policyVerdictSchema, 'deny'),
    reason: policyReasonSchema,
    ...policyTestFields,
    configs: z._default(configsSchema, null),
    enabled: z._default(z.boolean(), true),
  })
  .check(z.refine(isOneTest, oneTestMessage));

/** Merged into what is there; a query takes the place of an expression, and the other way round. */
const patchSchema = z.strictObject({
  description: z.optional(description),
  verdict: z.optional(policyVerdictSchema),
  reason: z.optional(policyReasonSchema),
  ...policyTestFields,
  configs: z.optional(configsSchema),
  enabled: z.optional(z.boolean()),
});

const nameParams = z.object({ name: policyNameSchema });
const reads = 'configs:read' as const;
const writes = 'policies:write' as const;
const notFound = 'policy.not-found' as const;
const testProblems = ['request.invalid', 'policy.invalid', 'pipeline.invalid', 'config.not-found'] as const;

const examplePolicy = {
  name: 'quiet-log',
  reason: 'the log tells of every connection',
  expression: '!has(config.log) || !(config.log.level in ["debug", "trace"])',
};

export const policies = {
  list: route({
    id: 'listPolicies',
    method: 'get',
    path: '/api/v1/policies',
    summary: 'List policies: those that come with sbox, then your own',
    permission: reads,
    query: pageQuery,
    ok: { status: 200, schema: page(policySchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createPolicy',
    method: 'post',
    path: '/api/v1/policies',
    summary: 'Make a policy; it is heard when versions are made or published from now on',
    permission: writes,
    headers: idempotencyHeaders,
    body: writeSchema,
    ok: { status: 201, schema: policySchema },
    problems: [...testProblems, 'policy.exists', 'request.idempotency-mismatch'],
    example: { body: examplePolicy },
  }),
  test: route({
    id: 'testPolicy',
    method: 'post',
    path: '/api/v1/policies/test',
    summary:
      'What an expression or a query finds in a version of a config, by default in what it would be now; nothing is stored',
    permission: writes,
    body: z
      .strictObject({
        /** Name or id. */
        config: idSchema,
        version: z.optional(versionBodySchema),
        verdict: z._default(policyVerdictSchema, 'deny'),
        ...policyTestFields,
      })
      .check(z.refine(isOneTest, oneTestMessage)),
    ok: {
      status: 200,
      schema: z.object({
        ok: z.boolean(),
        /** Null: what a new version would be. */
        version: z.nullable(countSchema),
        findings: z.array(policyFindingSchema),
      }),
    },
    problems: [
      ...testProblems,
      'config.version-not-found',
      'config.version-removed',
      'config.no-nodes',
      'config.group-empty',
      'pipeline.too-slow',
      'rule-set.unavailable',
      'subscription.version-not-found',
      'template.not-found',
      'template.version-not-found',
      'template.invalid',
      'template.invalid-parameter',
      'template.unsupported',
    ],
    example: { body: { config: 'example', expression: 'size(nodes) >= 1' } },
  }),
  get: route({
    id: 'getPolicy',
    method: 'get',
    path: '/api/v1/policies/{name}',
    summary: 'One policy',
    permission: reads,
    params: nameParams,
    ok: { status: 200, schema: policySchema },
    problems: [notFound, 'request.invalid'],
    example: { params: { name: 'quiet-log' } },
  }),
  update: route({
    id: 'updatePolicy',
    method: 'patch',
    path: '/api/v1/policies/{name}',
    summary: 'Change a policy, or switch it; of one that comes with sbox all but its reason and test',
    permission: writes,
    params: nameParams,
    headers: ifMatchHeaders,
    body: patchSchema,
    ok: { status: 200, schema: policySchema },
    problems: [...testProblems, notFound, 'policy.read-only', 'precondition.required', 'precondition.failed'],
    example: { params: { name: 'open-inbound' }, headers: { 'if-match': '*' }, body: { enabled: true } },
  }),
  remove: route({
    id: 'deletePolicy',
    method: 'delete',
    path: '/api/v1/policies/{name}',
    summary: 'Delete a policy; what it found stays with the versions',
    permission: writes,
    params: nameParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [notFound, 'policy.read-only', 'request.invalid', 'precondition.required', 'precondition.failed'],
    example: { params: { name: 'quiet-log' }, headers: { 'if-match': '*' } },
  }),
};
