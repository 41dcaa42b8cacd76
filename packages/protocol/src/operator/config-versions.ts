import * as z from 'zod/mini';
import { unitFileSchema } from '../agent/manifest.ts';
import { route } from '../route.ts';
import {
  countSchema,
  digestSchema,
  idempotencyHeaders,
  idParams,
  idSchema,
  ifMatchHeaders,
  named,
  nameSchema,
  page,
  pageQuery,
  timeSchema,
} from '../schema.ts';
import { changesFields } from './config-answers.ts';
import { policyFindingSchema } from './policy-finding.ts';
import { tagSchema, versionBodySchema, versionRefParams, versionRefSchema } from './version-names.ts';

export const leftOutSchema = named(
  'LeftOut',
  'A node that an engine cannot run, and why; it is left out, never altered.',
  z.object({ node_id: z.string(), tag: z.string(), code: z.string(), reason: z.string() }),
);

const renditionSchema = named(
  'Rendition',
  'The exact bytes for one engine profile, by digest.',
  z.object({
    digest: digestSchema,
    size: countSchema,
    profile: z.string(),
    /** Empty for what a server in no scope gets; else what says in how far it differs from that. */
    variant: z.string(),
    /** The settings that make the variant, secrets hidden. */
    differs: z.record(z.string(), z.unknown()),
    outbounds: countSchema,
    left_out: z.array(leftOutSchema),
    /** What travels with it: rule-sets, and the list of which node each tag is. */
    files: z.array(unitFileSchema),
  }),
);

export const configVersionSchema = named(
  'ConfigVersion',
  'One immutable result of a config with the inputs it was made from; `digest` is over the inputs.',
  z.object({
    config_id: idSchema,
    version: countSchema,
    digest: digestSchema,
    snapshots: z.array(z.object({ subscription_id: idSchema, version: countSchema, digest: digestSchema })),
    /** What the nodes were put into; null for what `settings` give. */
    template: z.nullable(z.object({ name: nameSchema, version: z.nullable(countSchema) })),
    rule_sets: z.array(z.object({ url: z.string(), digest: digestSchema, size: countSchema })),
    renditions: z.array(renditionSchema),
    nodes: countSchema,
    /** The version that this one brings back. */
    rollback_of: z.nullable(countSchema),
    author: z.string(),
    message: z.string(),
    created_at: timeSchema,
    /** A draft is never deployed, and is not the version of its config. */
    state: z.enum(['draft', 'published']),
    /** Names of this version; a tag is on one version of a config only. */
    tags: z.array(z.string()),
    notes: z.string(),
    /** What the policies said when it was made, or published. */
    findings: z.array(policyFindingSchema),
    /** Of state, tags and notes: everything else never changes. */
    revision: countSchema,
    published_at: z.nullable(timeSchema),
    published_by: z.nullable(z.string()),
  }),
);

const diffSchema = named(
  'ConfigDiff',
  'How two versions differ: what it means, part by part, and the text line by line. Secrets are hidden.',
  z.object({
    from: countSchema,
    to: countSchema,
    ...changesFields,
    /** Unified diff of the rendered text. */
    text: z.string(),
  }),
);

const reads = 'configs:read' as const;
const writes = 'configs:write' as const;
const notFound = 'config.not-found' as const;
export const recipeProblems = [
  'project.mismatch',
  'pipeline.invalid',
  'template.not-found',
  'template.version-not-found',
  'template.invalid',
  'template.invalid-parameter',
] as const;
export const renderProblems = [
  ...recipeProblems,
  'pipeline.too-slow',
  'template.unsupported',
  'config.no-nodes',
  'config.invalid',
  'config.group-empty',
  'config.test-failed',
  'rule-set.unavailable',
  'engine.check-failed',
  'engine.too-old',
  'subscription.version-not-found',
] as const;
/** A version is published only when its policies let it. */
export const publishProblems = [...renderProblems, 'config.policy-violated', 'config.policy-failed'] as const;
const versionProblems = [notFound, 'config.version-not-found', 'config.version-removed', 'request.invalid'] as const;

/** What can be done with the versions of a config. */
export const configVersions = {
  versions: route({
    id: 'listConfigVersions',
    method: 'get',
    path: '/api/v1/configs/{id}/versions',
    summary: 'Versions, newest first',
    permission: reads,
    params: idParams,
    query: pageQuery,
    ok: { status: 200, schema: page(configVersionSchema) },
    problems: [notFound, 'request.invalid'],
    example: { params: { id: 'example' } },
  }),
  version: route({
    id: 'getConfigVersion',
    method: 'get',
    path: '/api/v1/configs/{id}/versions/{version}',
    summary: 'One version, by its number or a tag',
    permission: reads,
    params: versionRefParams,
    ok: { status: 200, schema: configVersionSchema },
    problems: versionProblems,
    example: { params: { id: 'example', version: '1' } },
  }),
  mark: route({
    id: 'markConfigVersion',
    method: 'patch',
    path: '/api/v1/configs/{id}/versions/{version}',
    summary: 'Change the tags and notes of a version; a tag leaves the version that had it',
    permission: writes,
    params: versionRefParams,
    headers: ifMatchHeaders,
    body: z.strictObject({
      /** All of them. */
      tags: z.optional(z.array(tagSchema).check(z.maxLength(20))),
      notes: z.optional(z.string().check(z.maxLength(10_000))),
    }),
    ok: { status: 200, schema: configVersionSchema },
    problems: [...versionProblems, 'precondition.required', 'precondition.failed'],
    example: {
      params: { id: 'example', version: '1' },
      headers: { 'if-match': '*' },
      body: { tags: ['stable'], notes: 'runs since the winter' },
    },
  }),
  publish: route({
    id: 'publishConfigVersion',
    method: 'post',
    path: '/api/v1/configs/{id}/versions/{version}/publish',
    summary:
      'Make a draft the newest version, when its tests and policies let it; only a draft newer than what is published',
    permission: writes,
    params: versionRefParams,
    headers: idempotencyHeaders,
    ok: { status: 200, schema: configVersionSchema },
    problems: [
      ...versionProblems,
      'config.version-published',
      'config.version-outdated',
      'request.idempotency-mismatch',
      ...publishProblems,
    ],
    example: { params: { id: 'example', version: 'candidate' } },
  }),
  discard: route({
    id: 'deleteConfigVersion',
    method: 'delete',
    path: '/api/v1/configs/{id}/versions/{version}',
    summary: 'Delete a draft; its number is not given again',
    permission: writes,
    params: versionRefParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [...versionProblems, 'config.version-published', 'precondition.required', 'precondition.failed'],
    example: { params: { id: 'example', version: 'experiment' }, headers: { 'if-match': '*' } },
  }),
  diff: route({
    id: 'diffConfigVersion',
    method: 'get',
    path: '/api/v1/configs/{id}/versions/{version}/diff',
    summary: 'What changed in a version, against the one before or against another',
    permission: reads,
    params: versionRefParams,
    /** A version by number or tag; 0 is nothing at all. Without it the published one before. */
    query: z.strictObject({
      against: z.optional(z.union([z.literal('0'), versionRefSchema])),
      /** Compares what this server gets of both; without it what nobody in particular gets. */
      server: z.optional(idSchema),
    }),
    ok: { status: 200, schema: diffSchema },
    problems: [
      notFound,
      'config.version-not-found',
      'config.version-removed',
      'request.invalid',
      'server.not-found',
      'engine.build-not-found',
      ...renderProblems,
    ],
    example: { params: { id: 'example', version: '1' } },
  }),
  rollback: route({
    id: 'rollbackConfig',
    method: 'post',
    path: '/api/v1/configs/{id}/rollback',
    summary: 'Make a new version from the inputs of an older one; deploys nothing by itself',
    permission: writes,
    params: idParams,
    body: z.strictObject({
      /** By number or tag. */
      version: versionBodySchema,
      message: z._default(z.string().check(z.maxLength(1000)), ''),
    }),
    ok: { status: 200, schema: configVersionSchema },
    problems: [
      'request.invalid',
      notFound,
      'config.version-not-found',
      'config.version-removed',
      'config.version-draft',
      ...publishProblems,
    ],
    example: { params: { id: 'example' }, body: { version: 1 } },
  }),
};
