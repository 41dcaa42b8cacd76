import { parseDuration } from '@sbox/core';
import * as z from 'zod/mini';
import { extraProbeSchema } from '../agent/manifest.ts';
import { pipelineSchema, type Operator } from '../pipeline/operators.ts';
import { configTestSchema } from '../pipeline/config-test.ts';
import { jsonPatchSchema } from '../pipeline/template.ts';
import { durationSchema, engineVersionSchema, idSchema, named, nameSchema } from '../schema.ts';

const withinMs = (text: string, leastMs: number, mostMs: number): boolean => {
  const ms = parseDuration(text) ?? -1;
  return ms >= leastMs && ms <= mostMs;
};

const inboundSchema = named(
  'Inbound',
  'A local port of the engine through which programs use the proxy.',
  z.strictObject({
    type: z._default(z.enum(['mixed', 'socks', 'http']), 'mixed'),
    tag: z._default(nameSchema, 'in'),
    listen: z._default(z.union([z.ipv4(), z.ipv6()]), '127.0.0.1'),
    listen_port: z.int().check(z.minimum(1), z.maximum(65535)),
  }),
);

/** As agents read them. */
const probesSchema = z.array(extraProbeSchema).check(
  z.maxLength(16),
  z.refine((probes) => new Set(probes.map(({ id }) => id)).size === probes.length, 'each needs an id of its own'),
);

export const configSettingsSchema = named(
  'ConfigSettings',
  'What the engine is told beside the nodes.',
  z.strictObject({
    inbounds: z._default(z.array(inboundSchema).check(z.minLength(1), z.maxLength(16)), [
      { type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 2080 },
    ]),
    /** How nodes are compared: fetched through each of them, every `interval`. */
    urltest: z._default(
      z.strictObject({
        url: z._default(z.string().check(z.regex(/^https?:\/\//)), 'https://www.gstatic.com/generate_204'),
        interval: z._default(durationSchema, '3m'),
      }),
      { url: 'https://www.gstatic.com/generate_204', interval: '3m' },
    ),
    log_level: z._default(z.enum(['trace', 'debug', 'info', 'warn', 'error']), 'warn'),
    /** How agents prove a version: a request to at least `need` of `urls` must answer with a status in `expect`. */
    probe: z._default(
      z.strictObject({
        urls: z.array(z.string().check(z.regex(/^https?:\/\//))).check(z.minLength(1), z.maxLength(8)),
        expect: z._default(z.array(z.int()), [200, 204]),
        need: z._default(z.int().check(z.minimum(1)), 1),
        timeout: z._default(
          durationSchema.check(z.refine((text) => withinMs(text, 1, 60_000), 'must be from 1ms to 60s')),
          '3s',
        ),
      }),
      {
        urls: ['https://www.gstatic.com/generate_204', 'https://cp.cloudflare.com/generate_204'],
        expect: [200, 204],
        need: 1,
        timeout: '3s',
      },
    ),
    /** How long a version must stay healthy after the take-over before it is committed. */
    watch: z._default(
      durationSchema.check(z.refine((text) => withinMs(text, 0, 86_400_000), 'must be at most 1d')),
      '10s',
    ),
    /** The version of the engine that servers are given, of those that the manager keeps. */
    engine_build: z.optional(engineVersionSchema),
    /** How a running engine takes a version; `auto` takes the gentlest way that a server allows. */
    reload: z.optional(z.enum(['auto', 'in-place', 'restart'])),
    /** Looks beside `probe`: what they say shows in a server's status, and fails a version that is being watched. */
    probes: z.optional(probesSchema),
    /** What an agent does that ran imported files when the manager returns. */
    on_return: z._default(z.enum(['enforce', 'adopt', 'hold']), 'enforce'),
  }),
);

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
  subscriptions: z._default(recipeParts.subscriptions, []),
  engine: z._default(z.enum(['sing-box']), 'sing-box'),
  settings: z.prefault(configSettingsSchema, {}),
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
