import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, digestSchema, named, page, pageQuery, timeSchema } from '../schema.ts';

const ruleSetSchema = named(
  'RuleSet',
  'A rule-set that the manager mirrors: configs name its address, servers get its content with the version.',
  z.object({
    /** Without credentials; a query is hidden. */
    url: z.string(),
    /** `stale`: the last fetch failed and the last good content stays; `missing`: none ever came. */
    state: z.enum(['good', 'stale', 'missing']),
    digest: z.nullable(digestSchema),
    size: z.nullable(countSchema),
    format: z.nullable(z.string()),
    /** When the content came. */
    fetched_at: z.nullable(timeSchema),
    /** When it was last known to be the newest. */
    checked_at: z.nullable(timeSchema),
    next_fetch_at: z.nullable(timeSchema),
    /** Of the last fetch. */
    problem: z.nullable(z.object({ code: z.string(), detail: z.string() })),
    /** Names of the configs whose newest version has it. */
    configs: z.array(z.string()),
  }),
);

export const ruleSets = {
  list: route({
    id: 'listRuleSets',
    method: 'get',
    path: '/api/v1/rule-sets',
    summary: 'List mirrored rule-sets',
    permission: 'configs:read',
    query: pageQuery,
    ok: { status: 200, schema: page(ruleSetSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  refresh: route({
    id: 'refreshRuleSets',
    method: 'post',
    path: '/api/v1/rule-sets/refresh',
    summary:
      'Fetch mirrored rule-sets now, all or the ones that are named; what changed gives new versions of its configs',
    permission: 'configs:write',
    body: z.strictObject({ urls: z.optional(z.array(z.string()).check(z.maxLength(1000))) }),
    ok: {
      status: 200,
      schema: z.object({
        items: z.array(
          z.object({
            url: z.string(),
            outcome: z.enum(['changed', 'unchanged', 'failed']),
            code: z.nullable(z.string()),
            detail: z.nullable(z.string()),
          }),
        ),
      }),
    },
    problems: ['request.invalid'],
    example: { body: {} },
  }),
};
