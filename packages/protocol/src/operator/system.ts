import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, idSchema, named, page, pageQuery, timeSchema } from '../schema.ts';

export const eventSchema = named(
  'Event',
  'Something that happened. `seq` grows by one; the event types are listed in the AsyncAPI document.',
  z.object({
    id: idSchema,
    seq: countSchema,
    type: z.string(),
    timestamp: timeSchema,
    source: z.string(),
    data: z.record(z.string(), z.unknown()),
  }),
);

export const events = {
  list: route({
    id: 'listEvents',
    method: 'get',
    path: '/api/v1/events',
    summary: 'Events, newest first',
    permission: 'events:read',
    query: z.extend(pageQuery, {
      /** Only types that start with this, as `subscription.`. */
      type: z.optional(z.string().check(z.maxLength(64))),
    }),
    ok: { status: 200, schema: page(eventSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
};

const checkSchema = z.object({ name: z.string(), ok: z.boolean(), detail: z.string() });

export const system = {
  health: route({
    id: 'getHealth',
    method: 'get',
    path: '/api/v1/health',
    summary: 'Whether the manager can do its work, check by check',
    permission: 'status:read',
    ok: {
      status: 200,
      schema: named('Health', 'Health with its checks.', z.object({ ok: z.boolean(), checks: z.array(checkSchema) })),
    },
    problems: [],
    example: {},
  }),
  status: route({
    id: 'getStatus',
    method: 'get',
    path: '/api/v1/status',
    summary: 'What the manager is and what it has',
    permission: 'status:read',
    ok: {
      status: 200,
      schema: named(
        'ManagerStatus',
        'Version, age, pin and counts.',
        z.object({
          version: z.string(),
          started_at: timeSchema,
          pin: z.string(),
          epoch: countSchema,
          subscriptions: countSchema,
          configs: countSchema,
          servers: z.record(z.string(), countSchema),
          engine: z.nullable(z.object({ path: z.string(), version: z.string(), tags: z.array(z.string()) })),
        }),
      ),
    },
    problems: [],
    example: {},
  }),
  metrics: route({
    id: 'getMetrics',
    method: 'get',
    path: '/metrics',
    summary: 'Metrics in the text format of Prometheus',
    permission: 'status:read',
    ok: { status: 200, bytes: 'text/plain; version=0.0.4; charset=utf-8' },
    problems: [],
    example: {},
  }),
  live: route({
    id: 'getLiveness',
    method: 'get',
    path: '/healthz',
    summary: 'Answers when the process runs',
    permission: 'public',
    ok: { status: 200, schema: z.object({ ok: z.literal(true) }) },
    problems: [],
    example: {},
  }),
  ready: route({
    id: 'getReadiness',
    method: 'get',
    path: '/readyz',
    summary: 'Answers 200 when the database answers, 503 otherwise',
    permission: 'public',
    ok: { status: 200, schema: z.object({ ok: z.literal(true) }) },
    problems: ['internal.unavailable'],
    example: {},
  }),
};
