import * as z from 'zod/mini';
import { agentStatusSchema } from '../agent/status.ts';
import { route } from '../route.ts';
import { labelsPatchSchema, labelsSchema, selectorSchema } from '../selector.ts';
import {
  countSchema,
  durationSchema,
  idParams,
  idSchema,
  ifMatchHeaders,
  named,
  nameSchema,
  page,
  pageQuery,
  timeSchema,
  flagSchema,
} from '../schema.ts';

const serverSchema = named(
  'Server',
  'A machine with an agent. `state`: new, healthy, progressing, degraded, offline (last seen too long ago).',
  z.object({
    id: idSchema,
    name: nameSchema,
    labels: labelsSchema,
    /** The name of its environment. */
    environment: z.nullable(nameSchema),
    state: z.string(),
    agent_version: z.nullable(z.string()),
    engines: z.array(z.object({ kind: z.string(), version: z.string(), tags: z.array(z.string()) })),
    /** What it should run. */
    desired: z.nullable(
      z.object({
        epoch: countSchema,
        generation: countSchema,
        config_id: z.nullable(idSchema),
        version: z.nullable(countSchema),
        /** The version of the engine that it is given; null: what it has. */
        engine: z.nullable(z.string()),
        /** All that it should run, by name; `config_id`, `version` and `engine` above are of the first. */
        units: z.array(
          z.object({
            name: nameSchema,
            config_id: z.nullable(idSchema),
            version: z.nullable(countSchema),
            engine: z.nullable(z.string()),
          }),
        ),
      }),
    ),
    /** What it last said. */
    status: z.nullable(agentStatusSchema),
    seen_at: z.nullable(timeSchema),
    offline: z.boolean(),
    revision: countSchema,
    created_at: timeSchema,
  }),
);

const joinTokenSchema = named(
  'JoinToken',
  'Lets one server join. The text is shown once, when it is made.',
  z.object({
    id: idSchema,
    name: z.nullable(nameSchema),
    labels: labelsSchema,
    environment: z.nullable(nameSchema),
    created_at: timeSchema,
    expires_at: timeSchema,
    used_at: z.nullable(timeSchema),
    server_id: z.nullable(idSchema),
  }),
);

/** Given to a server as it comes. */
const place = { labels: z._default(labelsSchema, {}), environment: z._default(z.nullable(nameSchema), null) };

export const servers = {
  list: route({
    id: 'listServers',
    method: 'get',
    path: '/api/v1/servers',
    summary: 'List servers',
    permission: 'servers:read',
    query: z.extend(pageQuery, { selector: z.optional(selectorSchema), environment: z.optional(nameSchema) }),
    ok: { status: 200, schema: page(serverSchema) },
    problems: ['request.invalid'],
    example: { query: { selector: 'role=edge,!canary' } },
  }),
  add: route({
    id: 'addServer',
    method: 'post',
    path: '/api/v1/servers',
    summary: 'Add a server that will never see this manager; it gets its configs as bundles',
    permission: 'servers:write',
    body: z.strictObject({
      name: nameSchema,
      ...place,
      /** The engine that the machine has; a bundle is rendered for it. */
      engine: z._default(
        z.strictObject({ kind: z.enum(['sing-box']), version: z.string(), tags: z.array(z.string()) }),
        {
          kind: 'sing-box',
          version: '1.12.0',
          tags: ['with_quic', 'with_wireguard', 'with_clash_api', 'with_gvisor'],
        },
      ),
    }),
    ok: { status: 201, schema: serverSchema },
    problems: ['request.invalid', 'server.exists', 'environment.not-found', 'assignment.conflict'],
    example: { body: { name: 'island', labels: { role: 'edge' } } },
  }),
  get: route({
    id: 'getServer',
    method: 'get',
    path: '/api/v1/servers/{id}',
    summary: 'One server',
    permission: 'servers:read',
    params: idParams,
    ok: { status: 200, schema: serverSchema },
    problems: ['server.not-found'],
    example: { params: { id: 'island' } },
  }),
  update: route({
    id: 'updateServer',
    method: 'patch',
    path: '/api/v1/servers/{id}',
    summary: 'Name, labels and environment of a server; what comes to be meant for it is sent by itself',
    permission: 'servers:write',
    params: idParams,
    headers: ifMatchHeaders,
    body: z.strictObject({
      name: z.optional(nameSchema),
      /** Labels to set, and with null to take off. */
      labels: z.optional(labelsPatchSchema),
      environment: z.optional(z.nullable(nameSchema)),
    }),
    ok: { status: 200, schema: serverSchema },
    problems: [
      'request.invalid',
      'server.not-found',
      'server.exists',
      'environment.not-found',
      'assignment.conflict',
      'precondition.required',
      'precondition.failed',
    ],
    example: {
      params: { id: 'island' },
      headers: { 'if-match': '*' },
      body: { labels: { region: 'eu', canary: null } },
    },
  }),
  remove: route({
    id: 'deleteServer',
    method: 'delete',
    path: '/api/v1/servers/{id}',
    summary: 'Forget a server; its agent keeps running what it has',
    permission: 'servers:write',
    params: idParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: ['server.not-found', 'precondition.required', 'precondition.failed'],
    example: { params: { id: 'island' }, headers: { 'if-match': '*' } },
  }),
  bundle: route({
    id: 'getServerBundle',
    method: 'get',
    path: '/api/v1/servers/{id}/bundle',
    summary: 'Manifest and content in one tar: the same thing by USB or rsync. Holds secrets',
    permission: 'secrets:reveal',
    params: idParams,
    query: z.strictObject({
      /** The engine that the server is given too, for one that does not have it yet. */
      engine: flagSchema,
    }),
    ok: { status: 200, bytes: 'application/x-tar' },
    problems: [
      'request.invalid',
      'server.not-found',
      'server.not-assigned',
      'bundle.invalid',
      'engine.build-not-found',
    ],
    example: { params: { id: 'island' } },
  }),
};

export const joinTokens = {
  list: route({
    id: 'listJoinTokens',
    method: 'get',
    path: '/api/v1/join-tokens',
    summary: 'Join tokens, newest first; never their secrets',
    permission: 'servers:read',
    query: pageQuery,
    ok: { status: 200, schema: page(joinTokenSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createJoinToken',
    method: 'post',
    path: '/api/v1/join-tokens',
    summary: 'Make a token that lets one server join',
    permission: 'servers:write',
    body: z.strictObject({
      /** The name that the server gets; its host name otherwise. */
      name: z.optional(nameSchema),
      ttl: z._default(durationSchema, '1h'),
      ...place,
    }),
    ok: { status: 201, schema: z.extend(joinTokenSchema, { token: z.string(), pin: z.string() }) },
    problems: ['request.invalid', 'server.exists', 'environment.not-found', 'assignment.conflict'],
    example: { body: { ttl: '30m', labels: { role: 'edge' } } },
  }),
  remove: route({
    id: 'deleteJoinToken',
    method: 'delete',
    path: '/api/v1/join-tokens/{id}',
    summary: 'Withdraw a join token',
    permission: 'servers:write',
    params: idParams,
    ok: { status: 204 },
    problems: ['join-token.not-found'],
    example: { params: { id: '{join-token}' } },
  }),
};
