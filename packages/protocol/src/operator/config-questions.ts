import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, idParams } from '../schema.ts';
import { versionBodySchema } from './version-names.ts';
import {
  capabilitySchema,
  nodeExplanationSchema,
  routeExplanationSchema,
  testResultSchema,
  upgradeSchema,
} from './config-answers.ts';

const reads = 'configs:read' as const;
const notFound = 'config.not-found' as const;
const makeProblems = [
  'config.no-nodes',
  'config.version-not-found',
  'config.version-removed',
  'subscription.version-not-found',
  'pipeline.invalid',
  'pipeline.too-slow',
  'template.not-found',
  'template.version-not-found',
  'template.invalid',
  'template.invalid-parameter',
  'template.unsupported',
  'config.group-empty',
  'rule-set.unavailable',
] as const;
const engineVersion = z.string().check(z.regex(/^\d+\.\d+(\.\d+)?([-.+][\w.+-]*)?$/, 'must be a version as 1.14'));

/** What people ask about a config; nothing is stored. */
export const configQuestions = {
  explain: route({
    id: 'explainConfig',
    method: 'post',
    path: '/api/v1/configs/{id}/explain',
    summary: 'Why a node is where it is, and where a connection goes: by the newest version, or another',
    permission: reads,
    params: idParams,
    body: z.strictObject({
      /** Id or name. */
      node: z.optional(z.string().check(z.maxLength(512))),
      /** `example.com:443`, an address, or a name, whose port is then 443. */
      destination: z.optional(z.string().check(z.maxLength(300))),
      network: z._default(z.enum(['tcp', 'udp']), 'tcp'),
      /** The address that the connection comes from. */
      source: z.optional(z.string().check(z.maxLength(64))),
      /** The tag of the inbound that it comes in by. */
      inbound: z.optional(z.string().check(z.maxLength(128))),
      /** What sniffing finds; by default what is usual at the port. Empty: nothing. */
      protocol: z.optional(z.string().check(z.maxLength(32))),
      /** What the destination resolves to. */
      addresses: z.optional(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(32))),
      /** The mode of the control API. */
      mode: z.optional(z.string().check(z.maxLength(256))),
      /** By number or tag. */
      version: z.optional(versionBodySchema),
    }),
    ok: {
      status: 200,
      schema: z.object({
        /** Null: no version is there yet, so that it is what one would be now. */
        version: z.nullable(countSchema),
        node: z.nullable(nodeExplanationSchema),
        route: z.nullable(routeExplanationSchema),
      }),
    },
    problems: ['request.invalid', notFound, 'node.not-found', ...makeProblems],
    example: { params: { id: 'example' }, body: { destination: 'example.com:443' } },
  }),
  tests: route({
    id: 'testConfig',
    method: 'post',
    path: '/api/v1/configs/{id}/tests',
    summary: 'Run the tests of a config over what would be made of it now',
    permission: reads,
    params: idParams,
    ok: { status: 200, schema: z.object({ ok: z.boolean(), results: z.array(testResultSchema) }) },
    problems: [notFound, ...makeProblems],
    example: { params: { id: 'example' } },
  }),
  upgradePreview: route({
    id: 'previewUpgrade',
    method: 'post',
    path: '/api/v1/configs/{id}/upgrade-preview',
    summary: 'What another version of the engine would change, and what it would not take',
    permission: reads,
    params: idParams,
    body: z.strictObject({ to: engineVersion, from: z.optional(engineVersion) }),
    ok: { status: 200, schema: upgradeSchema },
    problems: ['request.invalid', notFound, 'engine.too-old', 'engine.unsupported', ...makeProblems],
    example: { params: { id: 'example' }, body: { to: '1.14' } },
  }),
};

export const engines = {
  capabilities: route({
    id: 'listCapabilities',
    method: 'get',
    path: '/api/v1/engines/capabilities',
    summary: 'What engines can run, by version and build tags; with a version, whether that one can',
    permission: reads,
    query: z.strictObject({
      version: z.optional(engineVersion),
      /** Build tags, with commas between; those of the engine beside the manager when they are not given. */
      tags: z.optional(z.string().check(z.maxLength(1000))),
    }),
    ok: {
      status: 200,
      schema: z.object({ items: z.array(capabilitySchema) }),
    },
    problems: ['request.invalid', 'engine.too-old', 'engine.unsupported'],
    example: { query: { version: '1.14' } },
  }),
};
