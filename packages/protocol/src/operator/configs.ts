import { parseDuration } from '@sbox/core';
import * as z from 'zod/mini';
import { projectQuery } from '../bounds.ts';
import { route } from '../route.ts';
import { configQuestions } from './config-questions.ts';
import { configPatchSchema, configWriteSchema, recipeParts, writtenSettingsSchema } from './config-recipe.ts';
import {
  configVersions,
  configVersionSchema,
  leftOutSchema,
  publishProblems,
  recipeProblems,
  renderProblems,
} from './config-versions.ts';
import { deploymentSchema } from './deployments.ts';
import { reasonSchema } from './environments.ts';
import { policyFindingSchema } from './policy-finding.ts';
import {
  countSchema,
  durationSchema,
  engineVersionSchema,
  idParams,
  idSchema,
  idempotencyHeaders,
  ifMatchHeaders,
  named,
  nameSchema,
  page,
  revealQuery,
  timeSchema,
} from '../schema.ts';
import { selectorSchema } from '../selector.ts';
import { versionBodySchema, versionRefSchema } from './version-names.ts';

const confirmSchema = durationSchema.check(
  z.refine((text) => {
    const ms = parseDuration(text) ?? 0;
    return ms >= 10_000 && ms <= 86_400_000;
  }, 'must be from 10s to 1d'),
);

/** Two ways to choose servers could mean both together or either. */
const hasOneChoice = ({ servers, environment, selector }: Readonly<Record<string, unknown>>): boolean =>
  [servers, environment, selector].filter((one) => one !== undefined).length <= 1;

const configSchema = named(
  'Config',
  'A recipe: subscriptions, pipeline, template, settings and the engine. Its versions are what servers run.',
  z.object({
    id: idSchema,
    name: nameSchema,
    project: nameSchema,
    subscriptions: z.array(z.object({ id: idSchema, name: nameSchema })),
    engine: z.string(),
    /** As they were written; what is not there comes from the layers of settings. */
    settings: writtenSettingsSchema,
    pipeline: recipeParts.pipeline,
    template: recipeParts.template,
    patch: recipeParts.patch,
    tests: recipeParts.tests,
    tests_block: recipeParts.tests_block,
    auto_deploy: z.boolean(),
    revision: countSchema,
    /** The newest version, null until one could be generated. */
    version: z.nullable(countSchema),
    /** A version that would be deployed by itself and waits for the end of a freeze. */
    held_version: z.nullable(countSchema),
    servers: countSchema,
    created_at: timeSchema,
    updated_at: timeSchema,
  }),
);

const findingSchema = named(
  'Finding',
  'Something in a config that would keep the engine from running it.',
  z.object({ code: z.string(), path: z.string(), message: z.string() }),
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
const changeProblems = ['request.invalid', notFound, 'precondition.required', 'precondition.failed'] as const;

export const configs = {
  list: route({
    id: 'listConfigs',
    method: 'get',
    path: '/api/v1/configs',
    summary: 'List configs',
    permission: reads,
    query: projectQuery,
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
    /** With `draft=true` version 1 is a draft. */
    query: z.strictObject({ draft: z._default(z.stringbool(), false) }),
    body: configWriteSchema,
    ok: { status: 201, schema: configSchema },
    problems: [
      'request.invalid',
      'config.exists',
      'subscription.not-found',
      'request.idempotency-mismatch',
      ...publishProblems,
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
    example: { params: { id: 'example' }, headers: { 'if-match': '*' }, body: { tests_block: true } },
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
    summary: 'Make a new version, or a draft of one; the same inputs give the version that is there',
    permission: writes,
    params: idParams,
    body: z.strictObject({
      message: z._default(z.string().check(z.maxLength(1000)), ''),
      /** To be looked at, and published later: policies and tests are heard, and keep nothing back. */
      draft: z._default(z.boolean(), false),
    }),
    ok: { status: 200, schema: z.object({ created: z.boolean(), version: configVersionSchema }) },
    problems: ['request.invalid', notFound, ...publishProblems],
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
        /** What the policies say; one that denies makes it not valid. */
        policies: z.array(policyFindingSchema),
        /** What the engine does in another way than was asked for. */
        warnings: z.array(findingSchema),
        /** What the engine's own check said; null when the manager has no engine. */
        engine_check: z.nullable(z.object({ ok: z.boolean(), message: z.string() })),
      }),
    },
    problems: [notFound],
    example: { params: { id: 'example' } },
  }),
  deploy: route({
    id: 'deployConfig',
    method: 'post',
    path: '/api/v1/configs/{id}/deploy',
    summary:
      'Move servers to a version (the newest by default): one first, the rest on its verdict. Takes the place of a deployment of this config that is still running',
    permission: 'configs:deploy',
    params: idParams,
    body: z
      .strictObject({
        /** By number or tag. */
        version: z.optional(versionBodySchema),
        /** Names or ids. Without any choice of servers: those that this config is for or that run it, or the only one there is. */
        servers: z.optional(z.array(idSchema).check(z.minLength(1), z.maxLength(10_000))),
        /** The servers that are in this environment when it begins. */
        environment: z.optional(nameSchema),
        /** The servers whose labels a selector meets when it begins. */
        selector: z.optional(selectorSchema.check(z.refine((text) => text.trim() !== '', 'must not be empty'))),
        message: z._default(z.string().check(z.maxLength(1000)), ''),
        /**
         * A version of the engine that the manager keeps for the machines of these servers, or `own`: what each of them has.
         * Without it the recipe's `engine_build`, else what the version was deployed with, else what was deployed last.
         */
        engine: z.optional(z.union([z.literal('own'), engineVersionSchema])),
        /** Each server takes the version back after so long, unless it is confirmed or still reaches the manager. */
        confirm: z.optional(confirmSchema),
        /** Why it is deployed in spite of a freeze. */
        override_freeze: z.optional(reasonSchema),
      })
      .check(z.refine(hasOneChoice, 'takes one of servers, environment and selector')),
    ok: { status: 202, schema: deploymentSchema },
    problems: [
      'request.invalid',
      'engine.unsupported',
      'engine.build-not-found',
      notFound,
      'config.version-not-found',
      'config.version-removed',
      'config.version-draft',
      'server.not-found',
      'environment.not-found',
      'deployment.no-servers',
      'environment.frozen',
      ...publishProblems,
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
    query: z.strictObject({
      /** By number or tag. */
      version: z.optional(versionRefSchema),
      /** What this server gets of it. */
      server: z.optional(idSchema),
    }),
    ok: { status: 200, bytes: 'application/json' },
    problems: [
      notFound,
      'request.invalid',
      'config.version-not-found',
      'config.version-removed',
      'server.not-found',
      'engine.build-not-found',
      ...renderProblems,
    ],
    example: { params: { id: 'example' } },
  }),
  ...configVersions,
  ...configQuestions,
};
