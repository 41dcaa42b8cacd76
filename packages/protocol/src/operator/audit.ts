import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, integerSchema, named, page, pageQuery, timeSchema } from '../schema.ts';

const hashSchema = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const seqSchema = integerSchema(1);
const word = z.string().check(z.minLength(1), z.maxLength(128));

const auditEntrySchema = named(
  'AuditEntry',
  'Who did what, and what came of it. `hash` is over `prev` and everything else, so that entries form a chain.',
  z.strictObject({
    v: z.literal(1),
    seq: countSchema,
    ts: timeSchema,
    actor_type: z.string(),
    actor_id: z.string(),
    actor_name: z.string(),
    /** The token or the session that the actor came with. */
    token_id: z.nullable(z.string()),
    ip: z.string(),
    request_id: z.string(),
    /** The id of the operation; `system` for what the manager does by itself, `*` for refusals that are counted. */
    action: z.string(),
    /** What was acted upon: the parameters of the path. */
    object: z.record(z.string(), z.unknown()),
    /** ok, denied or failed. */
    result: z.string(),
    /** The code of the problem. */
    code: z.nullable(z.string()),
    /** The events of the change. */
    change: z.array(z.strictObject({ type: z.string(), data: z.record(z.string(), z.unknown()) })),
    prev: hashSchema,
    hash: hashSchema,
  }),
);

const auditCheckpointSchema = named(
  'AuditCheckpoint',
  'A head of the chain of audit entries, signed by the online key of the manager (ed25519, DSSE encoding).',
  z.strictObject({
    seq: countSchema,
    hash: hashSchema,
    ts: timeSchema,
    keyid: z.string(),
    /** Base64. */
    signature: z.string(),
  }),
);

const auditKeySchema = named(
  'AuditKey',
  'A key that signed checkpoints.',
  z.strictObject({
    keyid: z.string(),
    /** SPKI, base64. */
    public_key: z.string(),
  }),
);

/** One entry of an export: what it is, and the thing itself. */
export const auditLineSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('entry'), entry: auditEntrySchema }),
  z.strictObject({ kind: z.literal('checkpoint'), checkpoint: auditCheckpointSchema }),
  z.strictObject({ kind: z.literal('key'), key: auditKeySchema }),
]);
export type AuditLine = z.output<typeof auditLineSchema>;

/** Entries in one answer of an export. */
export const mostExported = 5000;

export const audit = {
  list: route({
    id: 'listAuditEntries',
    method: 'get',
    path: '/api/v1/audit',
    summary: 'Who did what, newest first',
    permission: 'audit:read',
    query: z.extend(pageQuery, {
      /** The id or the name of who acted. */
      actor: z.optional(word),
      /** The id of an operation, as `deployConfig`. */
      action: z.optional(word),
      result: z.optional(z.enum(['ok', 'denied', 'failed'])),
      /** From this time on. */
      since: z.optional(timeSchema),
      /** Before this time. */
      until: z.optional(timeSchema),
    }),
    ok: {
      status: 200,
      schema: z.extend(page(auditEntrySchema), {
        /** Of the ids in `object`, as far as they are known. */
        names: z.record(z.string(), z.string()),
      }),
    },
    problems: ['request.invalid'],
    example: { query: { result: 'ok' } },
  }),
  // Before the route with `{seq}`, which would match them too.
  checkpoints: route({
    id: 'listAuditCheckpoints',
    method: 'get',
    path: '/api/v1/audit/checkpoints',
    summary: 'Signed heads of the audit log, newest first',
    permission: 'audit:read',
    query: pageQuery,
    ok: { status: 200, schema: page(auditCheckpointSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  export: route({
    id: 'exportAudit',
    method: 'get',
    path: '/api/v1/audit/export',
    summary: 'The audit log as lines of JSON: entries, then the checkpoints over them, then the keys of these',
    permission: 'audit:read',
    query: z.strictObject({
      /** The number of the last entry that the caller has. */
      after: z.prefault(integerSchema(0), 0),
      /** Of entries; an answer with fewer is the last one. */
      limit: z.prefault(integerSchema(1, mostExported), mostExported),
    }),
    ok: { status: 200, bytes: 'application/x-ndjson' },
    problems: ['request.invalid'],
    example: { query: { after: 0 } },
  }),
  get: route({
    id: 'getAuditEntry',
    method: 'get',
    path: '/api/v1/audit/{seq}',
    summary: 'One entry of the audit log',
    permission: 'audit:read',
    params: z.object({ seq: seqSchema }),
    ok: { status: 200, schema: auditEntrySchema },
    problems: ['request.invalid', 'audit-entry.not-found'],
    example: { params: { seq: '1' } },
  }),
};
