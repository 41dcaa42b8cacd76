import * as z from 'zod/mini';
import {
  paramSpecSchema,
  paramNameSchema,
  templateSchema,
  type ParamSpec,
  type Template,
} from '../pipeline/template.ts';
import { projectQuery, projectSchema } from '../bounds.ts';
import { route } from '../route.ts';
import {
  countSchema,
  digestSchema,
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

/** Types with a name: written out in every route they would be longer than the compiler allows. */
export interface TemplateDocument extends Template {}
export interface ParamSpecs extends Record<string, ParamSpec> {}
const documentSchema: z.ZodMiniType<TemplateDocument, TemplateDocument> = named(
  'Template',
  'A skeleton of a config with typed parameters.',
  templateSchema,
);
const paramsSchema: z.ZodMiniType<ParamSpecs, ParamSpecs> = z.record(paramNameSchema, paramSpecSchema);

const summaryFields = {
  name: nameSchema,
  /** null for one that sbox brings along: it is for all. */
  project: z.nullable(nameSchema),
  /** The newest; null for one that sbox brings along. */
  version: z.nullable(countSchema),
  /** Comes with sbox: it cannot be changed, and a newer sbox may bring another one. */
  built_in: z.boolean(),
  engine: z.string(),
  description: z.string(),
  params: paramsSchema,
  /** Names of the configs that are made from it. */
  configs: z.array(z.string()),
  revision: z.nullable(countSchema),
  created_at: z.nullable(timeSchema),
  updated_at: z.nullable(timeSchema),
};
const summarySchema = named('TemplateSummary', 'A template without its document.', z.object(summaryFields));
const viewSchema = named(
  'TemplateView',
  'A template with its document.',
  z.object({ ...summaryFields, document: z.record(z.string(), z.unknown()) }),
);
const adoptedSchema = named(
  'AdoptedTemplate',
  'A template that was made from an existing config, and what was found in that.',
  z.object({
    template: viewSchema,
    /** Outbounds that are nodes: they can move to a subscription. */
    nodes: z.array(z.object({ tag: z.string(), node_id: z.string() })),
    /** Groups that nodes of subscriptions can join: values of the parameter `nodes_in`. */
    groups: z.array(z.string()),
    main_group: z.nullable(z.string()),
    findings: z.array(z.object({ code: z.string(), path: z.string(), message: z.string() })),
  }),
);
const versionSchema = named(
  'TemplateVersion',
  'One immutable version of a template.',
  z.object({
    version: countSchema,
    digest: digestSchema,
    author: z.string(),
    message: z.string(),
    created_at: timeSchema,
  }),
);

const nameParams = z.object({ name: nameSchema });
const message = z._default(z.string().check(z.maxLength(1000)), '');
const reads = 'configs:read' as const;
const writes = 'configs:write' as const;
const notFound = 'template.not-found' as const;
const bodyProblems = ['request.invalid', 'template.invalid'] as const;

const exampleTemplate = {
  name: 'example-template',
  engine: 'sing-box',
  description: 'One port, one group.',
  params: { port: { type: 'port', description: 'Where programs connect.', default: 2080 } },
  document: {
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: '${port}' }],
    outbounds: [{ type: 'urltest', tag: 'auto', outbounds: ['$nodes'] }, { $nodes: true }],
    route: { final: 'auto' },
  },
} as const;

export const templates = {
  list: route({
    id: 'listTemplates',
    method: 'get',
    path: '/api/v1/templates',
    summary: 'List templates: those that come with sbox, then your own',
    permission: reads,
    query: projectQuery,
    ok: { status: 200, schema: page(summarySchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createTemplate',
    method: 'post',
    path: '/api/v1/templates',
    summary: 'Make a template with its version 1',
    permission: writes,
    headers: idempotencyHeaders,
    body: z.strictObject({ template: documentSchema, project: projectSchema, message }),
    ok: { status: 201, schema: viewSchema },
    problems: [...bodyProblems, 'template.exists', 'request.idempotency-mismatch'],
    example: { body: { template: exampleTemplate } },
  }),
  adopt: route({
    id: 'adoptTemplate',
    method: 'post',
    path: '/api/v1/templates/adopt',
    summary: 'Make a template of a config that exists; what it renders first is that same config',
    permission: writes,
    headers: idempotencyHeaders,
    body: z.strictObject({
      name: nameSchema,
      /** The document, or its text: sing-box's may have comments. */
      document: z.union([z.record(z.string(), z.unknown()), z.string().check(z.maxLength(16 * 1024 * 1024))]),
      project: projectSchema,
      message,
    }),
    ok: { status: 201, schema: adoptedSchema },
    problems: [...bodyProblems, 'template.exists', 'request.idempotency-mismatch'],
    example: {
      body: { name: 'example-adopted', document: { outbounds: [{ type: 'direct', tag: 'direct' }] } },
    },
  }),
  get: route({
    id: 'getTemplate',
    method: 'get',
    path: '/api/v1/templates/{name}',
    summary: 'One template, the newest version or another; secrets hidden unless revealed',
    permission: reads,
    params: nameParams,
    query: z.extend(revealQuery, { version: z.optional(integerSchema(1)) }),
    ok: { status: 200, schema: viewSchema },
    problems: [notFound, 'template.version-not-found', 'request.invalid', 'auth.forbidden'],
    example: { params: { name: 'example-template' } },
  }),
  replace: route({
    id: 'replaceTemplate',
    method: 'put',
    path: '/api/v1/templates/{name}',
    summary: 'Make a new version; configs take it when they are generated the next time',
    permission: writes,
    params: nameParams,
    headers: ifMatchHeaders,
    /** Without a project it stays where it is. */
    body: z.strictObject({ template: documentSchema, project: z.optional(nameSchema), message }),
    ok: { status: 200, schema: viewSchema },
    problems: [
      ...bodyProblems,
      notFound,
      'template.read-only',
      'project.mismatch',
      'precondition.required',
      'precondition.failed',
    ],
    example: {
      params: { name: 'example-template' },
      headers: { 'if-match': '*' },
      body: { template: exampleTemplate, message: 'as it was' },
    },
  }),
  remove: route({
    id: 'deleteTemplate',
    method: 'delete',
    path: '/api/v1/templates/{name}',
    summary: 'Delete a template that no config is made from',
    permission: writes,
    params: nameParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [notFound, 'template.in-use', 'template.read-only', 'precondition.required', 'precondition.failed'],
    example: { params: { name: 'example-template' }, headers: { 'if-match': '*' } },
  }),
  versions: route({
    id: 'listTemplateVersions',
    method: 'get',
    path: '/api/v1/templates/{name}/versions',
    summary: 'Versions of a template, newest first',
    permission: reads,
    params: nameParams,
    query: pageQuery,
    ok: { status: 200, schema: page(versionSchema) },
    problems: [notFound, 'request.invalid'],
    example: { params: { name: 'example-template' } },
  }),
};
