import { parseDuration } from '@sbox/core';
import * as z from 'zod/mini';
import { route } from '../route.ts';
import {
  countSchema,
  durationSchema,
  idSchema,
  idempotencyHeaders,
  ifMatchHeaders,
  integerSchema,
  nameSchema,
  named,
  page,
  pageQuery,
  revealQuery,
  timeSchema,
} from '../schema.ts';
import { scopeSchema } from '../setting-scope.ts';

/** Where a value can come from, the weakest first. */
export const settingLayers = [
  'default',
  'file',
  'variable',
  'global',
  'environment',
  'service',
  'recipe',
  'labels',
  'server',
  'user',
  'override',
] as const;
export type SettingLayerName = (typeof settingLayers)[number];

const keySchema = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/, 'must be like log_level, urltest.url or params.port'));
/** By dotted keys: one key, one value. */
const valuesSchema = z.record(keySchema, z.unknown()).check(
  z.refine((values) => Object.keys(values).length <= 500, 'at most 500 keys'),
  z.refine((values) => Object.values(values).every((value) => value !== null), 'no value is null: leave the key out'),
);
const messageSchema = z._default(z.string().check(z.maxLength(1000)), '');
const layerNameSchema = z.enum(settingLayers);

const layerSchema = named(
  'SettingLayer',
  'The values of one scope, by dotted keys. Secrets are hidden unless revealed.',
  z.object({
    scope: z.string(),
    values: z.record(z.string(), z.unknown()),
    /** Grows with each change; 0: nothing was written yet. */
    version: countSchema,
    revision: countSchema,
    author: z.nullable(z.string()),
    message: z.string(),
    updated_at: z.nullable(timeSchema),
  }),
);
const changedSchema = named(
  'SettingChange',
  'A changed layer, the configs that got a new version by it, and those that read it and could get none.',
  z.extend(layerSchema, {
    /** What follows: configs with their new versions. */
    configs: z.array(z.object({ name: z.string(), version: countSchema })),
    /** Configs that keep their version, because something else than this change is wrong with them. */
    kept: z.array(z.object({ name: z.string(), code: z.string(), detail: z.string() })),
  }),
);
const versionSchema = named(
  'SettingVersion',
  'The values that a scope had from a time on.',
  z.object({
    version: countSchema,
    values: z.record(z.string(), z.unknown()),
    /** The keys that differ from the version before. */
    changed: z.array(z.string()),
    author: z.string(),
    message: z.string(),
    created_at: timeSchema,
  }),
);
const diffSchema = named(
  'SettingDiff',
  'How two versions of a scope differ; null: not there. Secrets are hidden.',
  z.object({
    scope: z.string(),
    from: countSchema,
    to: countSchema,
    changes: z.array(z.object({ key: z.string(), before: z.unknown(), after: z.unknown() })),
  }),
);
const valueFields = {
  key: z.string(),
  /** Null: no layer says anything. */
  value: z.unknown(),
  layer: layerNameSchema,
  /** Where it is written; empty for defaults, the file, variables and recipes. */
  scope: z.string(),
};
const effectiveSchema = named('EffectiveSetting', 'The value that wins, and where it stands.', z.object(valueFields));
const explanationSchema = named(
  'SettingExplanation',
  'Every layer that says something about a key, the strongest first.',
  z.object({
    ...valueFields,
    description: z.string(),
    layers: z.array(
      z.object({
        layer: layerNameSchema,
        scope: z.string(),
        value: z.unknown(),
        applies: z.boolean(),
        wins: z.boolean(),
        why: z.string(),
      }),
    ),
  }),
);
const keyInfoSchema = named(
  'SettingKey',
  'A key that values can be written for.',
  z.object({
    key: z.string(),
    /** As JSON Schema names it, or the type of a parameter. */
    type: z.string(),
    description: z.string(),
    /** Null for none. */
    default: z.unknown(),
    /** Which configs look at it. */
    read_by: z.string(),
    /** Templates that declare the parameter. */
    templates: z.array(z.string()),
  }),
);
const overrideSchema = named(
  'SettingOverride',
  'A value that wins over all others of its scope until it ends by itself.',
  z.object({
    id: idSchema,
    scope: z.string(),
    key: z.string(),
    value: z.unknown(),
    reason: z.string(),
    author: z.string(),
    created_at: timeSchema,
    ends_at: timeSchema,
  }),
);

const ttlSchema = durationSchema.check(
  z.refine((text) => {
    const ms = parseDuration(text) ?? 0;
    return ms >= 1000 && ms <= 90 * 86_400_000;
  }, 'must be from 1s to 90d'),
);
const scopeParams = z.object({ scope: scopeSchema });
const scopeVersionParams = z.object({
  scope: scopeSchema,
  version: integerSchema(1),
});
const whoFields = {
  server: z.optional(idSchema),
  config: z.optional(idSchema),
  user: z.optional(nameSchema),
  /** Instead of a server: one of this environment and nothing else. */
  environment: z.optional(nameSchema),
};
const whoProblems = ['request.invalid', 'server.not-found', 'config.not-found'] as const;
const reads = 'configs:read' as const;
const writes = 'settings:write' as const;
const changeProblems = [
  'request.invalid',
  'settings.invalid-value',
  'settings.breaks-config',
  'precondition.required',
  'precondition.failed',
] as const;
const exampleParams = { params: { scope: 'global' }, headers: { 'if-match': '*' } };

export const settings = {
  list: route({
    id: 'listSettings',
    method: 'get',
    path: '/api/v1/settings',
    summary: 'Scopes that have values',
    permission: reads,
    query: z.extend(pageQuery, revealQuery.shape),
    ok: { status: 200, schema: page(layerSchema) },
    problems: ['request.invalid', 'auth.forbidden'],
    example: {},
  }),
  // Before the routes with a scope: these words are no scopes.
  keys: route({
    id: 'listSettingKeys',
    method: 'get',
    path: '/api/v1/settings/keys',
    summary: 'Every key that values can be written for, with what reads it',
    permission: reads,
    ok: { status: 200, schema: z.object({ items: z.array(keyInfoSchema) }) },
    problems: [],
    example: {},
  }),
  effective: route({
    id: 'getEffectiveSettings',
    method: 'get',
    path: '/api/v1/settings/effective',
    summary: 'What a server, a config or who takes a config gets, key by key, and from which layer',
    permission: reads,
    query: z.extend(revealQuery, whoFields),
    ok: { status: 200, schema: z.object({ items: z.array(effectiveSchema) }) },
    problems: [...whoProblems, 'auth.forbidden'],
    example: { query: { config: 'example' } },
  }),
  explain: route({
    id: 'explainSetting',
    method: 'get',
    path: '/api/v1/settings/explain',
    summary: 'Every layer that has a say in a key, which of them wins, and why',
    permission: reads,
    query: z.extend(revealQuery, { key: keySchema, ...whoFields }),
    ok: { status: 200, schema: explanationSchema },
    problems: [...whoProblems, 'settings.invalid-value', 'auth.forbidden'],
    example: { query: { key: 'log_level' } },
  }),
  listOverrides: route({
    id: 'listSettingOverrides',
    method: 'get',
    path: '/api/v1/settings/overrides',
    summary: 'Overrides that have not ended, the newest first',
    permission: reads,
    query: pageQuery,
    ok: { status: 200, schema: page(overrideSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  createOverride: route({
    id: 'createSettingOverride',
    method: 'post',
    path: '/api/v1/settings/overrides',
    summary: 'Let a value win over all others for a while; it ends by itself',
    permission: writes,
    headers: idempotencyHeaders,
    body: z.strictObject({
      scope: scopeSchema,
      key: keySchema,
      value: z.unknown(),
      ttl: ttlSchema,
      reason: z.string().check(z.minLength(1), z.maxLength(1000)),
    }),
    ok: { status: 201, schema: overrideSchema },
    problems: ['request.invalid', 'settings.invalid-value', 'settings.breaks-config', 'request.idempotency-mismatch'],
    example: {
      body: { scope: 'server:example', key: 'log_level', value: 'debug', ttl: '30m', reason: 'looking for a fault' },
    },
  }),
  endOverride: route({
    id: 'deleteSettingOverride',
    method: 'delete',
    path: '/api/v1/settings/overrides/{id}',
    summary: 'End an override now',
    permission: writes,
    params: z.object({ id: idSchema }),
    ok: { status: 204 },
    problems: ['settings.override-not-found'],
    example: { params: { id: '{override}' } },
  }),
  get: route({
    id: 'getSettings',
    method: 'get',
    path: '/api/v1/settings/{scope}',
    summary: 'The values of a scope; version 0 where nothing was written',
    permission: reads,
    params: scopeParams,
    query: revealQuery,
    ok: { status: 200, schema: layerSchema },
    problems: ['request.invalid', 'auth.forbidden'],
    example: { params: { scope: 'global' } },
  }),
  replace: route({
    id: 'replaceSettings',
    method: 'put',
    path: '/api/v1/settings/{scope}',
    summary: 'Write all values of a scope; configs that get something else by it get a new version',
    permission: writes,
    params: scopeParams,
    headers: ifMatchHeaders,
    body: z.strictObject({ values: valuesSchema, message: messageSchema }),
    ok: { status: 200, schema: changedSchema },
    problems: changeProblems,
    example: { ...exampleParams, body: { values: { log_level: 'info', 'urltest.interval': '5m' } } },
  }),
  update: route({
    id: 'updateSettings',
    method: 'patch',
    path: '/api/v1/settings/{scope}',
    summary: 'Write some values of a scope; null takes a key away',
    permission: writes,
    params: scopeParams,
    headers: ifMatchHeaders,
    body: z.strictObject({ values: z.record(keySchema, z.unknown()), message: messageSchema }),
    ok: { status: 200, schema: changedSchema },
    problems: changeProblems,
    example: { ...exampleParams, body: { values: { log_level: 'error' }, message: 'less of it' } },
  }),
  remove: route({
    id: 'deleteSettings',
    method: 'delete',
    path: '/api/v1/settings/{scope}',
    summary: 'Take all values of a scope away; its history stays',
    permission: writes,
    params: scopeParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [...changeProblems],
    example: exampleParams,
  }),
  versions: route({
    id: 'listSettingVersions',
    method: 'get',
    path: '/api/v1/settings/{scope}/versions',
    summary: 'What a scope had before, newest first',
    permission: reads,
    params: scopeParams,
    query: z.extend(pageQuery, revealQuery.shape),
    ok: { status: 200, schema: page(versionSchema) },
    problems: ['request.invalid', 'auth.forbidden'],
    example: { params: { scope: 'global' } },
  }),
  diff: route({
    id: 'diffSettingVersion',
    method: 'get',
    path: '/api/v1/settings/{scope}/versions/{version}/diff',
    summary: 'What changed in a version of a scope, against the one before or against another',
    permission: reads,
    params: scopeVersionParams,
    query: z.strictObject({ against: z.optional(integerSchema(0)) }),
    ok: { status: 200, schema: diffSchema },
    problems: ['request.invalid', 'settings.version-not-found'],
    example: { params: { scope: 'global', version: '1' } },
  }),
  rollback: route({
    id: 'rollbackSettings',
    method: 'post',
    path: '/api/v1/settings/{scope}/rollback',
    summary: 'Write the values of an older version again, as a new version',
    permission: writes,
    params: scopeParams,
    headers: idempotencyHeaders,
    body: z.strictObject({ version: z.int().check(z.minimum(1)), message: messageSchema }),
    ok: { status: 200, schema: changedSchema },
    problems: [
      'request.invalid',
      'settings.version-not-found',
      'settings.invalid-value',
      'settings.breaks-config',
      'request.idempotency-mismatch',
    ],
    example: { params: { scope: 'global' }, body: { version: 1 } },
  }),
};
