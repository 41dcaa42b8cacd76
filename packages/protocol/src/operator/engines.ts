import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, digestSchema, engineVersionSchema, named, page, pageQuery, timeSchema } from '../schema.ts';
import { engines as capabilities } from './config-questions.ts';

/** The largest program that is taken; the engines of today have 30 to 60 MB. */
export const maxEngineBytes = 200 * 1024 * 1024;

const tagsSchema = z.string().check(z.regex(/^[\w,.-]{0,1000}$/, 'must be tags with commas between'));

const buildSchema = named(
  'EngineBuild',
  'A program that the manager keeps and hands out to servers, by digest.',
  z.object({
    digest: digestSchema,
    kind: z.string(),
    version: z.string(),
    /** As Node says it: `x64`, `arm64`. */
    arch: z.string(),
    size: countSchema,
    tags: z.array(z.string()),
    author: z.string(),
    created_at: timeSchema,
    /** Names of the servers that are assigned this version. */
    servers: z.array(z.string()),
  }),
);

export const engines = {
  ...capabilities,
  list: route({
    id: 'listEngines',
    method: 'get',
    path: '/api/v1/engines',
    summary: 'Programs that servers can be given, by version',
    permission: 'configs:read',
    query: pageQuery,
    ok: { status: 200, schema: page(buildSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  add: route({
    id: 'addEngine',
    method: 'post',
    path: '/api/v1/engines',
    summary:
      'Keep a program for Linux. Machine, version and build tags are read from it; it is not run. The same bytes again change nothing',
    permission: 'configs:deploy',
    query: z.strictObject({
      /** Where the program does not say it, or says another one than releases do. */
      version: z.optional(engineVersionSchema),
      tags: z.optional(tagsSchema),
    }),
    streamBody: 'application/octet-stream',
    ok: { status: 201, schema: buildSchema },
    problems: ['request.invalid', 'request.too-large', 'engine.unsupported', 'engine.exists', 'disk.full'],
    example: {},
  }),
  remove: route({
    id: 'deleteEngine',
    method: 'delete',
    path: '/api/v1/engines/{digest}',
    summary: 'Remove a program that no server and no order of a server names any more',
    permission: 'configs:deploy',
    params: z.object({ digest: z.string().check(z.maxLength(80)) }),
    ok: { status: 204 },
    problems: ['request.invalid', 'engine.build-not-found', 'engine.in-use'],
    example: { params: { digest: '{engine}' } },
  }),
};
