import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, idParams, idSchema, named, page, pageQuery, timeSchema } from '../schema.ts';

export const deploymentSchema = named(
  'Deployment',
  'Moving servers to a version: one first, the rest on its verdict. `state`: running, succeeded, halted, superseded. Of a server: waiting, sent, serving, committed, refused, or moved when it got another order since.',
  z.object({
    id: idSchema,
    config_id: idSchema,
    version: countSchema,
    /** The version of the engine that the servers are given; null: each runs its own. */
    engine: z.nullable(z.string()),
    /** Servers take the version back after so long unless it is confirmed, or the manager is still reached; 0: never. */
    confirm_ms: countSchema,
    state: z.string(),
    /** Why it was halted. */
    reason: z.nullable(z.object({ server_id: idSchema, code: z.string(), detail: z.string() })),
    servers: z.array(
      z.object({
        server_id: idSchema,
        name: z.string(),
        state: z.string(),
        epoch: countSchema,
        generation: countSchema,
      }),
    ),
    /** A freeze that the next servers wait out; null for none. */
    held: z.nullable(
      z.object({
        environments: z.array(z.string()),
        reason: z.string(),
        /** Null: no end is in sight. */
        until: z.nullable(timeSchema),
      }),
    ),
    /** Why it was deployed in spite of a freeze. */
    override_freeze: z.nullable(z.string()),
    /** The assignment whose newcomers it brings up by itself. */
    newcomers_of: z.nullable(idSchema),
    author: z.string(),
    created_at: timeSchema,
    ended_at: z.nullable(timeSchema),
  }),
);

export const deployments = {
  list: route({
    id: 'listDeployments',
    method: 'get',
    path: '/api/v1/deployments',
    summary: 'Deployments, newest first',
    permission: 'configs:read',
    query: pageQuery,
    ok: { status: 200, schema: page(deploymentSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  get: route({
    id: 'getDeployment',
    method: 'get',
    path: '/api/v1/deployments/{id}',
    summary: 'One deployment with the state of each server',
    permission: 'configs:read',
    params: idParams,
    ok: { status: 200, schema: deploymentSchema },
    problems: ['deployment.not-found'],
    example: { params: { id: '{deployment}' } },
  }),
};
