import { parseDuration } from '@sbox/core';
import * as z from 'zod/mini';
import { projectSchema } from '../bounds.ts';
import { extraProbeSchema } from '../agent/manifest.ts';
import { pipelineSchema, type Operator } from '../pipeline/operators.ts';
import { configTestSchema } from '../pipeline/config-test.ts';
import { jsonPatchSchema } from '../pipeline/template.ts';
import { durationSchema, engineVersionSchema, idSchema, named, nameSchema } from '../schema.ts';

const withinMs = (text: string, leastMs: number, mostMs: number): boolean => {
  const ms = parseDuration(text) ?? -1;
  return ms >= leastMs && ms <= mostMs;
};

const inboundTypes = z.enum(['mixed', 'socks', 'http']);
const addressSchema = z.union([z.ipv4(), z.ipv6()]);
const portSchema = z.int().check(z.minimum(1), z.maximum(65535));

const inboundSchema = named(
  'Inbound',
  'A local port of the engine through which programs use the proxy.',
  z.strictObject({
    type: z._default(inboundTypes, 'mixed'),
    tag: z._default(nameSchema, 'in'),
    listen: z._default(addressSchema, '127.0.0.1'),
    listen_port: portSchema,
  }),
);
const writtenInboundSchema = named(
  'WrittenInbound',
  'An inbound as somebody wrote it; what is left out has its default.',
  z.strictObject({
    type: z.optional(inboundTypes),
    tag: z.optional(nameSchema),
    listen: z.optional(addressSchema),
    listen_port: portSchema,
  }),
);

/** As agents read them. */
const probesSchema = z.array(extraProbeSchema).check(
  z.maxLength(16),
  z.refine((probes) => new Set(probes.map(({ id }) => id)).size === probes.length, 'each needs an id of its own'),
);
const httpUrlSchema = z.string().check(z.regex(/^https?:\/\//));
const inbounds = <S extends z.ZodMiniType>(item: S) => z.array(item).check(z.minLength(1), z.maxLength(16));
const logLevels = z.enum(['trace', 'debug', 'info', 'warn', 'error']);
const probeUrls = z.array(httpUrlSchema).check(z.minLength(1), z.maxLength(8));
const probeExpect = z.array(z.int());
const probeNeed = z.int().check(z.minimum(1));
const probeTimeout = durationSchema.check(z.refine((text) => withinMs(text, 1, 60_000), 'must be from 1ms to 60s'));
const watchSchema = durationSchema.check(z.refine((text) => withinMs(text, 0, 86_400_000), 'must be at most 1d'));
const reloadSchema = z.enum(['auto', 'in-place', 'restart']);
const onReturnSchema = z.enum(['enforce', 'adopt', 'hold']);

export const configSettingsSchema = named(
  'ConfigSettings',
  'What the engine is told beside the nodes, complete.',
  z.strictObject({
    inbounds: z._default(inbounds(inboundSchema), [
      { type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 2080 },
    ]),
    /** How nodes are compared: fetched through each of them, every `interval`. */
    urltest: z._default(
      z.strictObject({
        url: z._default(httpUrlSchema, 'https://www.gstatic.com/generate_204'),
        interval: z._default(durationSchema, '3m'),
      }),
      { url: 'https://www.gstatic.com/generate_204', interval: '3m' },
    ),
    log_level: z._default(logLevels, 'warn'),
    /** How agents prove a version: a request to at least `need` of `urls` must answer with a status in `expect`. */
    probe: z._default(
      z.strictObject({
        urls: probeUrls,
        expect: z._default(probeExpect, [200, 204]),
        need: z._default(probeNeed, 1),
        timeout: z._default(probeTimeout, '3s'),
      }),
      {
        urls: ['https://www.gstatic.com/generate_204', 'https://cp.cloudflare.com/generate_204'],
        expect: [200, 204],
        need: 1,
        timeout: '3s',
      },
    ),
    /** How long a version must stay healthy after the take-over before it is committed. */
    watch: z._default(watchSchema, '10s'),
    /** The version of the engine that servers are given, of those that the manager keeps. */
    engine_build: z.optional(engineVersionSchema),
    /** How a running engine takes a version; `auto` takes the gentlest way that a server allows. */
    reload: z.optional(reloadSchema),
    /** Looks beside `probe`: what they say shows in a server's status, and fails a version that is being watched. */
    probes: z.optional(probesSchema),
    /** What an agent does that ran imported files when the manager returns. */
    on_return: z._default(onReturnSchema, 'enforce'),
  }),
);

/** The same as somebody wrote it: what is not there comes from the layers of settings, and at last from the defaults. */
export const writtenSettingsSchema = named(
  'WrittenSettings',
  'Settings as they were written; what is left out comes from the layers below.',
  z.strictObject({
    inbounds: z.optional(inbounds(writtenInboundSchema)),
    urltest: z.optional(z.strictObject({ url: z.optional(httpUrlSchema), interval: z.optional(durationSchema) })),
    log_level: z.optional(logLevels),
    probe: z.optional(
      z.strictObject({
        urls: z.optional(probeUrls),
        expect: z.optional(probeExpect),
        need: z.optional(probeNeed),
        timeout: z.optional(probeTimeout),
      }),
    ),
    watch: z.optional(watchSchema),
    engine_build: z.optional(engineVersionSchema),
    reload: z.optional(reloadSchema),
    probes: z.optional(probesSchema),
    on_return: z.optional(onReturnSchema),
  }),
);

/** One setting of configs. */
export interface SettingKeyRow {
  /** A value as it is written. */
  readonly schema: z.ZodMiniType;
  readonly description: string;
  /** `settings`: only configs that are made from their settings, not from a template. */
  readonly readers: 'all' | 'settings';
}

const keyRow = (
  schema: z.ZodMiniType,
  description: string,
  readers: SettingKeyRow['readers'] = 'all',
): SettingKeyRow => ({ schema, description, readers });

/** The leaves of the settings of configs, by their dotted keys; `params.NAME` stand beside them. */
export const settingKeys = {
  inbounds: keyRow(inbounds(writtenInboundSchema), 'Local ports through which programs use the proxy', 'settings'),
  'urltest.url': keyRow(httpUrlSchema, 'What is fetched through each node to compare them', 'settings'),
  'urltest.interval': keyRow(durationSchema, 'How often nodes are compared', 'settings'),
  log_level: keyRow(logLevels, 'How much the engine writes into its log', 'settings'),
  'probe.urls': keyRow(probeUrls, 'What an agent fetches through a new version to prove it'),
  'probe.expect': keyRow(probeExpect, 'Statuses that are a good answer'),
  'probe.need': keyRow(probeNeed, 'How many of the addresses must answer'),
  'probe.timeout': keyRow(probeTimeout, 'How long one of these requests may take'),
  watch: keyRow(watchSchema, 'How long a version must stay healthy before it is committed'),
  engine_build: keyRow(engineVersionSchema, 'The version of the engine that servers are given'),
  reload: keyRow(reloadSchema, 'How a running engine takes a version'),
  probes: keyRow(probesSchema, 'Further looks, which show in the status of a server'),
  on_return: keyRow(onReturnSchema, 'What an agent does that ran imported files when the manager returns'),
} as const satisfies Readonly<Record<string, SettingKeyRow>>;

export type SettingKey = keyof typeof settingKeys;

/** Which template a config is made from; without a version always the newest. */
export const templateChoiceSchema = z.strictObject({
  name: nameSchema,
  version: z.optional(z.int().check(z.minimum(1))),
  params: z._default(z.record(z.string().check(z.maxLength(64)), z.unknown()), {}),
});

/** A type with a name: written out in the type of every route, operators would be longer than the compiler allows. */
export interface OperatorList extends Array<Operator> {}
const operatorsSchema: z.ZodMiniType<OperatorList, OperatorList> = pipelineSchema;
const subscriptionsSchema = z.array(idSchema).check(z.maxLength(64));
const testsSchema = z.array(configTestSchema).check(z.maxLength(500));

/** What a config says beside its name, without defaults. */
export const recipeParts = {
  /** Names or ids; their nodes are taken in this order. None for a template that has outbounds of its own. */
  subscriptions: subscriptionsSchema,
  /** What is done with the nodes. */
  pipeline: operatorsSchema,
  /** What the nodes are put into. The default, `mixed`, is made from `settings`. */
  template: templateChoiceSchema,
  /** A JSON patch over the filled template, for what its parameters do not foresee. */
  patch: jsonPatchSchema,
  /** Run each time a version is made. */
  tests: testsSchema,
  /** A test that fails keeps the version from being made. */
  tests_block: z.boolean(),
};

const recipe = {
  name: nameSchema,
  /** It uses what is there, and in `default`. */
  project: projectSchema,
  subscriptions: z._default(recipeParts.subscriptions, []),
  engine: z._default(z.enum(['sing-box']), 'sing-box'),
  settings: z._default(writtenSettingsSchema, {}),
  pipeline: z._default(recipeParts.pipeline, []),
  template: z._default(recipeParts.template, { name: 'mixed', params: {} }),
  patch: z._default(recipeParts.patch, []),
  tests: z._default(recipeParts.tests, []),
  tests_block: z._default(recipeParts.tests_block, true),
  /** Deploy each new version that a changed subscription gives to the servers that run this config. */
  auto_deploy: z._default(z.boolean(), false),
};

export const configWriteSchema = named('ConfigWrite', 'A recipe.', z.strictObject(recipe));

export const configPatchSchema = named(
  'ConfigPatch',
  'A merge patch of a recipe: `settings` are merged one level deep, everything else is replaced whole.',
  z.strictObject({
    name: z.optional(nameSchema),
    project: z.optional(nameSchema),
    subscriptions: z.optional(recipeParts.subscriptions),
    settings: z.optional(z.record(z.string(), z.unknown())),
    pipeline: z.optional(recipeParts.pipeline),
    template: z.optional(recipeParts.template),
    patch: z.optional(recipeParts.patch),
    tests: z.optional(recipeParts.tests),
    tests_block: z.optional(recipeParts.tests_block),
    auto_deploy: z.optional(z.boolean()),
  }),
);
