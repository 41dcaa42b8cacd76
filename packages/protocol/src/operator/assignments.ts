import * as z from 'zod/mini';
import { route } from '../route.ts';
import {
  countSchema,
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
import { labelsSchema, selectorSchema } from '../selector.ts';

const assignmentSchema = named(
  'Assignment',
  'Says which servers a config is for: those that the selector meets, of one environment or of all.',
  z.object({
    id: idSchema,
    name: nameSchema,
    selector: z.string(),
    /** Null: of any environment, and of none. */
    environment: z.nullable(nameSchema),
    /** What the config is called on the servers; a server runs one config for each. */
    unit: nameSchema,
    config: nameSchema,
    config_id: idSchema,
    /** What was deployed to all of them last, and what a server gets that comes to be meant; null: nothing yet. */
    version: z.nullable(countSchema),
    /** The version of the engine that it was deployed with; null: each server's own. */
    engine: z.nullable(z.string()),
    /** How many servers are meant now. */
    servers: countSchema,
    revision: countSchema,
    created_at: timeSchema,
    updated_at: timeSchema,
  }),
);

const assignedServerSchema = named(
  'AssignedServer',
  'A server that an assignment means, or that runs what it says without being meant.',
  z.object({
    server_id: idSchema,
    name: nameSchema,
    environment: z.nullable(nameSchema),
    labels: labelsSchema,
    meant: z.boolean(),
    /** What its unit was sent last. */
    sent: z.nullable(z.object({ config_id: idSchema, config: nameSchema, version: countSchema })),
    /** Of the server. */
    state: z.string(),
  }),
);

const reads = 'configs:read' as const;
/** Servers that come to be meant are sent something. */
const writes = 'configs:deploy' as const;
const notFound = 'assignment.not-found' as const;
const writeProblems = [
  'request.invalid',
  'config.not-found',
  'environment.not-found',
  'assignment.exists',
  'assignment.conflict',
] as const;

export const assignments = {
  list: route({
    id: 'listAssignments',
    method: 'get',
    path: '/api/v1/assignments',
    summary: 'List assignments',
    permission: reads,
    query: pageQuery,
    ok: { status: 200, schema: page(assignmentSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createAssignment',
    method: 'post',
    path: '/api/v1/assignments',
    summary: 'Say which servers a config is for; nothing is sent before it is deployed',
    permission: writes,
    headers: idempotencyHeaders,
    body: z.strictObject({
      name: nameSchema,
      /** The empty selector means every server. */
      selector: selectorSchema,
      environment: z._default(z.nullable(nameSchema), null),
      unit: z._default(nameSchema, 'main'),
      /** Id or name. */
      config: idSchema,
    }),
    ok: { status: 201, schema: assignmentSchema },
    problems: [...writeProblems, 'request.idempotency-mismatch'],
    example: { body: { name: 'example-edges', selector: 'role=edge,!canary', config: 'example' } },
  }),
  get: route({
    id: 'getAssignment',
    method: 'get',
    path: '/api/v1/assignments/{id}',
    summary: 'One assignment',
    permission: reads,
    params: idParams,
    ok: { status: 200, schema: assignmentSchema },
    problems: [notFound],
    example: { params: { id: 'example-edges' } },
  }),
  update: route({
    id: 'updateAssignment',
    method: 'patch',
    path: '/api/v1/assignments/{id}',
    summary: 'Change an assignment; servers that come to be meant are sent the version that it was deployed with',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    body: z.strictObject({
      name: z.optional(nameSchema),
      selector: z.optional(selectorSchema),
      environment: z.optional(z.nullable(nameSchema)),
      config: z.optional(idSchema),
    }),
    ok: { status: 200, schema: assignmentSchema },
    problems: [...writeProblems, notFound, 'precondition.required', 'precondition.failed'],
    example: {
      params: { id: 'example-edges' },
      headers: { 'if-match': '*' },
      body: { selector: 'role=edge,region in (eu,us)' },
    },
  }),
  remove: route({
    id: 'deleteAssignment',
    method: 'delete',
    path: '/api/v1/assignments/{id}',
    summary: 'Delete an assignment; servers keep what they run',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [notFound, 'precondition.required', 'precondition.failed'],
    example: { params: { id: 'example-edges' }, headers: { 'if-match': '*' } },
  }),
  servers: route({
    id: 'listAssignedServers',
    method: 'get',
    path: '/api/v1/assignments/{id}/servers',
    summary: 'Servers that are meant, with what they run, and those that run it without being meant',
    permission: reads,
    params: idParams,
    query: pageQuery,
    ok: { status: 200, schema: page(assignedServerSchema) },
    problems: [notFound, 'request.invalid'],
    example: { params: { id: 'example-edges' } },
  }),
};
