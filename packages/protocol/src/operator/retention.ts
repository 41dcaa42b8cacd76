import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, idSchema, idempotencyHeaders, named, page, pageQuery } from '../schema.ts';

const itemSchema = named(
  'Retained',
  'What retention would remove of one config or subscription, and why the rest stays.',
  z.object({
    kind: z.enum(['config', 'subscription']),
    id: idSchema,
    name: z.string(),
    /** Versions of the config, with its drafts; snapshots of the subscription. */
    stored: countSchema,
    removable: countSchema,
    /** Of what is removable, the oldest first, at most 1000. */
    numbers: z.array(countSchema),
    /** How many stay for which reason: see the guide on retention. */
    kept: z.record(z.string(), countSchema),
  }),
);

export const retention = {
  show: route({
    id: 'showRetention',
    method: 'get',
    path: '/api/v1/retention',
    summary: 'What retention would remove now, and why the rest stays: configs by name, then subscriptions',
    permission: 'configs:read',
    query: pageQuery,
    ok: { status: 200, schema: page(itemSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  run: route({
    id: 'runRetention',
    method: 'post',
    path: '/api/v1/retention/run',
    summary: 'Remove at most 1000 of what is old and needed by nobody, without waiting for the hour',
    permission: 'retention:run',
    headers: idempotencyHeaders,
    ok: {
      status: 200,
      schema: named(
        'RetentionRun',
        'What was removed, and how much is left to be.',
        z.object({ versions: countSchema, drafts: countSchema, snapshots: countSchema, left: countSchema }),
      ),
    },
    problems: ['request.idempotency-mismatch'],
    example: {},
  }),
};
