import { parseDuration } from '@sbox/core';
import * as z from 'zod/mini';
import { route } from '../route.ts';
import { unitFileSchema } from '../agent/manifest.ts';
import { changesFields } from './config-answers.ts';
import { configQuestions } from './config-questions.ts';
import { configPatchSchema, configSettingsSchema, configWriteSchema, recipeParts } from './config-recipe.ts';
import { deploymentSchema } from './deployments.ts';
import {
  countSchema,
  digestSchema,
  durationSchema,
  engineVersionSchema,
  idParams,
  idSchema,
  idempotencyHeaders,
  ifMatchHeaders,
  named,
  nameSchema,
  page,
  pageQuery,
  revealQuery,
  timeSchema,
  versionParams,
} from '../schema.ts';

const confirmSchema = durationSchema.check(
  z.refine((text) => {
    const ms = parseDuration(text) ?? 0;
    return ms >= 10_000 && ms <= 86_400_000;
  }, 'must be from 10s to 1d'),
);

const configSchema = named(
  'Config',
  'A recipe: subscriptions, pipeline, template, settings and the engine. Its versions are what servers run.',
  z.object({
    id: idSchema,
    name: nameSchema,
    subscriptions: z.array(z.object({ id: idSchema, name: nameSchema })),
    engine: z.string(),
    settings: configSettingsSchema,
    pipeline: recipeParts.pipeline,
    template: recipeParts.template,
    patch: recipeParts.patch,
    tests: recipeParts.tests,
    tests_block: recipeParts.tests_block,
    auto_deploy: z.boolean(),
    revision: countSchema,
    /** The newest version, null until one could be generated. */
    version: z.nullable(countSchema),
    servers: countSchema,
    created_at: timeSchema,
    updated_at: timeSchema,
  }),
);

const leftOutSchema = named(
  'LeftOut',
  'A node that an engine cannot run, and why; it is left out, never altered.',
  z.object({ node_id: z.string(), tag: z.string(), code: z.string(), reason: z.string() }),
);

const findingSchema = named(
  'Finding',
  'Something in a config that would keep the engine from running it.',
  z.object({ code: z.string(), path: z.string(), message: z.string() }),
);

const renditionSchema = named(
  'Rendition',
  'The exact bytes for one engine profile, by digest.',
  z.object({
    digest: digestSchema,
    size: countSchema,
    profile: z.string(),
    outbounds: countSchema,
    left_out: z.array(leftOutSchema),
    /** What travels with it: rule-sets, and the list of which node each tag is. */
    files: z.array(unitFileSchema),
  }),
);

const configVersionSchema = named(
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

const exampleBody = {
  name: 'example',
  subscriptions: ['example'],
  pipeline: [{ operator: 'dedupe', by: 'endpoint' }],
  settings: { inbounds: [{ listen_port: 2080 }] },
  tests: [{ name: 'everything is proxied', destination: 'example.com:443', expect: { verdict: 'proxy' } }],
} as const;
const reads = 'configs:read' as const;
const writes = 'configs:write' as const;
const notFound = 'config.not-found' as const;
const recipeProblems = [
  'pipeline.invalid',
  'template.not-found',
  'template.version-not-found',
  'template.invalid',
  'template.invalid-parameter',
] as const;
const renderProblems = [
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
const changeProblems = ['request.invalid', notFound, 'precondition.required', 'precondition.failed'] as const;

export const configs = {
  list: route({
    id: 'listConfigs',
    method: 'get',
    path: '/api/v1/configs',
    summary: 'List configs',
    permission: reads,
    query: pageQuery,
    ok: { status: 200, schema: page(configSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createConfig',
    method: 'post',
    path: '/api/v1/configs',
    summary: 'Make a config and, when its subscriptions have nodes, its version 1',
    permission: writes,
    headers: idempotencyHeaders,
    body: configWriteSchema,
    ok: { status: 201, schema: configSchema },
    problems: [
      'request.invalid',
      'config.exists',
      'subscription.not-found',
      'request.idempotency-mismatch',
      ...renderProblems,
    ],
    example: { body: exampleBody },
  }),
  get: route({
    id: 'getConfig',
    method: 'get',
    path: '/api/v1/configs/{id}',
    summary: 'One config; secrets of its template and patch hidden unless revealed',
    permission: reads,
    params: idParams,
    query: revealQuery,
    ok: { status: 200, schema: configSchema },
    problems: [notFound, 'request.invalid', 'auth.forbidden'],
    example: { params: { id: 'example' } },
  }),
  replace: route({
    id: 'replaceConfig',
    method: 'put',
    path: '/api/v1/configs/{id}',
    summary: 'Replace the recipe; makes no version by itself',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    body: configWriteSchema,
    ok: { status: 200, schema: configSchema },
    problems: [...changeProblems, ...recipeProblems, 'config.exists', 'subscription.not-found'],
    example: { params: { id: 'example' }, headers: { 'if-match': '*' }, body: exampleBody },
  }),
  update: route({
    id: 'updateConfig',
    method: 'patch',
    path: '/api/v1/configs/{id}',
    summary: 'Change parts of the recipe; makes no version by itself',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    body: configPatchSchema,
    ok: { status: 200, schema: configSchema },
    problems: [...changeProblems, ...recipeProblems, 'config.exists', 'subscription.not-found'],
    example: { params: { id: 'example' }, headers: { 'if-match': '*' }, body: { auto_deploy: true } },
  }),
  remove: route({
    id: 'deleteConfig',
    method: 'delete',
    path: '/api/v1/configs/{id}',
    summary: 'Delete a config that no server runs',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [notFound, 'config.in-use', 'precondition.required', 'precondition.failed'],
    example: { params: { id: 'example' }, headers: { 'if-match': '*' } },
  }),
  generate: route({
    id: 'generateConfig',
    method: 'post',
    path: '/api/v1/configs/{id}/generate',
    summary: 'Make a new version; the same inputs give the version that is there',
    permission: writes,
    params: idParams,
    body: z.strictObject({ message: z._default(z.string().check(z.maxLength(1000)), '') }),
    ok: { status: 200, schema: z.object({ created: z.boolean(), version: configVersionSchema }) },
    problems: ['request.invalid', notFound, ...renderProblems],
    example: { params: { id: 'example' }, body: { message: 'first' } },
  }),
  validate: route({
    id: 'validateConfig',
    method: 'post',
    path: '/api/v1/configs/{id}/validate',
    summary: 'Render and check without making a version',
    permission: reads,
    params: idParams,
    ok: {
      status: 200,
      schema: z.object({
        valid: z.boolean(),
        nodes: countSchema,
        left_out: z.array(leftOutSchema),
        findings: z.array(findingSchema),
        /** What the engine does in another way than was asked for. */
        warnings: z.array(findingSchema),
        /** What the engine's own check said; null when the manager has no engine. */
        engine_check: z.nullable(z.object({ ok: z.boolean(), message: z.string() })),
      }),
    },
    problems: [notFound],
    example: { params: { id: 'example' } },
  }),
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
    summary: 'One version',
    permission: reads,
    params: versionParams,
    ok: { status: 200, schema: configVersionSchema },
    problems: [notFound, 'config.version-not-found', 'request.invalid'],
    example: { params: { id: 'example', version: '1' } },
  }),
  diff: route({
    id: 'diffConfigVersion',
    method: 'get',
    path: '/api/v1/configs/{id}/versions/{version}/diff',
    summary: 'What changed in a version, against the one before or against another',
    permission: reads,
    params: versionParams,
    query: z.strictObject({ against: z.optional(z.coerce.number().check(z.int(), z.minimum(0))) }),
    ok: { status: 200, schema: diffSchema },
    problems: [notFound, 'config.version-not-found', 'request.invalid'],
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
      version: z.int().check(z.minimum(1)),
      message: z._default(z.string().check(z.maxLength(1000)), ''),
    }),
    ok: { status: 200, schema: configVersionSchema },
    problems: ['request.invalid', notFound, 'config.version-not-found', ...renderProblems],
    example: { params: { id: 'example' }, body: { version: 1 } },
  }),
  deploy: route({
    id: 'deployConfig',
    method: 'post',
    path: '/api/v1/configs/{id}/deploy',
    summary:
      'Move servers to a version (the newest by default): one first, the rest on its verdict. Takes the place of a deployment of this config that is still running',
    permission: 'configs:deploy',
    params: idParams,
    body: z.strictObject({
      version: z.optional(z.int().check(z.minimum(1))),
      /** Names or ids; without it the servers that run this config already, or the only server there is. */
      servers: z.optional(z.array(idSchema).check(z.minLength(1), z.maxLength(10_000))),
      message: z._default(z.string().check(z.maxLength(1000)), ''),
      /**
       * A version of the engine that the manager keeps for the machines of these servers, or `own`: what each of them has.
       * Without it the recipe's `engine_build`, else what the version was deployed with, else what was deployed last.
       */
      engine: z.optional(z.union([z.literal('own'), engineVersionSchema])),
      /** Each server takes the version back after so long, unless it is confirmed or still reaches the manager. */
      confirm: z.optional(confirmSchema),
    }),
    ok: { status: 202, schema: deploymentSchema },
    problems: [
      'request.invalid',
      'engine.unsupported',
      'engine.build-not-found',
      notFound,
      'config.version-not-found',
      'server.not-found',
      'deployment.no-servers',
      ...renderProblems,
    ],
    example: { params: { id: 'example' }, body: {} },
  }),
  export: route({
    id: 'exportConfig',
    method: 'get',
    path: '/api/v1/configs/{id}/export',
    summary: 'The runnable text of a version (the newest by default), with its secrets',
    permission: 'secrets:reveal',
    params: idParams,
    query: z.strictObject({ version: z.optional(z.coerce.number().check(z.int(), z.minimum(1))) }),
    ok: { status: 200, bytes: 'application/json' },
    problems: [notFound, 'config.version-not-found'],
    example: { params: { id: 'example' } },
  }),
  ...configQuestions,
};
