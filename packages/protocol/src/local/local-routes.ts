import * as z from 'zod/mini';
import { agentStatusSchema, reloadPlanSchema } from '../agent/status.ts';
import { eventSchema } from '../operator/system.ts';
import { route } from '../route.ts';
import { countSchema, idSchema, integerSchema, named, pageQuery, timeSchema, page } from '../schema.ts';

const processSchema = named(
  'Process',
  'One process that the agent runs.',
  z.object({
    unit: z.string(),
    role: z.string(),
    pid: z.int(),
    started_at: timeSchema,
    adopted: z.boolean(),
    rss_bytes: z.nullable(countSchema),
  }),
);

export const historyEntrySchema = named(
  'HistoryEntry',
  'A version that this server ran or refused.',
  z.object({
    epoch: countSchema,
    generation: countSchema,
    source: z.string(),
    state: z.string(),
    at: timeSchema,
    units: z.array(
      z.object({
        name: z.string(),
        digest: z.string(),
        config_id: z.nullable(z.string()),
        version: z.nullable(countSchema),
      }),
    ),
    code: z.nullable(z.string()),
    message: z.nullable(z.string()),
  }),
);

const handedSchema = {
  epoch: countSchema,
  generation: countSchema,
  /** `bundle`, or `local` for a plain config. */
  source: z.string(),
};

const fileQuery = {
  /** Of the file: `.yaml` and `.yml` are read as YAML. */
  name: z._default(z.string().check(z.maxLength(255)), 'config.json'),
};

const fileProblems = [
  'request.invalid',
  'request.too-large',
  'agent.not-joined',
  'import.not-allowed',
  'import.unsafe-file',
  'config.invalid',
  'bundle.invalid',
  'manager.untrusted',
  'manifest.signature-invalid',
  'manifest.stale',
  'manifest.wrong-server',
  'blob.digest-mismatch',
] as const;

/** The agent's own API, on a Unix socket or loopback. */
export const localRoutes = {
  health: route({
    id: 'getAgentHealth',
    method: 'get',
    path: '/api/v1/health',
    summary: 'Whether the agent runs what it should',
    permission: 'status:read',
    ok: {
      status: 200,
      schema: z.object({ ok: z.boolean(), phase: z.string(), manager_reachable: z.boolean(), message: z.string() }),
    },
    problems: [],
    example: {},
  }),
  live: route({
    id: 'getAgentLiveness',
    method: 'get',
    path: '/healthz',
    summary: 'Answers when the process runs',
    permission: 'public',
    ok: { status: 200, schema: z.object({ ok: z.literal(true) }) },
    problems: [],
    example: {},
  }),
  status: route({
    id: 'getAgentStatus',
    method: 'get',
    path: '/api/v1/status',
    summary: 'The whole status: phase, units, conditions, the last refusal; the same that the manager gets',
    permission: 'status:read',
    ok: {
      status: 200,
      schema: z.extend(agentStatusSchema, {
        server_id: z.nullable(idSchema),
        manager: z.nullable(
          z.object({
            url: z.string(),
            reachable: z.boolean(),
            since: timeSchema,
            tries: countSchema,
            next_try_at: z.nullable(timeSchema),
            /** What it answered in place of an order: it is there, and takes nothing from this server. */
            refusal: z.optional(z.nullable(z.object({ code: z.string(), detail: z.string() }))),
            transport: z.string(),
            /** `direct`, `proxy`, or `engine`: through an engine of this server. */
            via: z.string(),
          }),
        ),
      }),
    },
    problems: [],
    example: {},
  }),
  processes: route({
    id: 'listProcesses',
    method: 'get',
    path: '/api/v1/processes',
    summary: 'Processes of all units',
    permission: 'status:read',
    ok: { status: 200, schema: z.object({ items: z.array(processSchema) }) },
    problems: [],
    example: {},
  }),
  config: route({
    id: 'getRunningConfig',
    method: 'get',
    path: '/api/v1/config',
    summary: 'The rendition that each unit runs; credentials are `***`',
    permission: 'configs:read',
    ok: {
      status: 200,
      schema: z.object({ items: z.array(z.object({ unit: z.string(), digest: z.string(), config: z.unknown() })) }),
    },
    problems: [],
    example: {},
  }),
  history: route({
    id: 'listHistory',
    method: 'get',
    path: '/api/v1/config/history',
    summary: 'Versions that this server ran or refused, newest first',
    permission: 'configs:read',
    ok: { status: 200, schema: z.object({ items: z.array(historyEntrySchema) }) },
    problems: [],
    example: {},
  }),
  rollback: route({
    id: 'rollbackAgent',
    method: 'post',
    path: '/api/v1/config/rollback',
    summary: 'Go back to the version before the running one and hold it until the manager has something newer',
    permission: 'configs:deploy',
    ok: { status: 200, schema: historyEntrySchema },
    problems: ['history.empty', 'apply.failed'],
    example: {},
  }),
  release: route({
    id: 'releaseAgent',
    method: 'post',
    path: '/api/v1/config/release',
    summary: 'End the hold: orders that wait are applied, and new ones are taken again',
    permission: 'configs:deploy',
    ok: { status: 200, schema: z.object({ reason: z.string() }) },
    problems: ['server.not-held'],
    example: {},
  }),
  plan: route({
    id: 'planConfig',
    method: 'post',
    path: '/api/v1/config/plan',
    summary:
      'How each unit would take a bundle or a plain config, what that costs, and why nothing gentler is possible',
    permission: 'configs:read',
    query: z.strictObject(fileQuery),
    rawBody: 'application/octet-stream',
    ok: { status: 200, schema: z.object({ ...handedSchema, items: z.array(reloadPlanSchema) }) },
    problems: [...fileProblems, 'engine.not-found', 'engine.unsupported', 'engine.check-failed'],
    example: {},
  }),
  apply: route({
    id: 'applyConfig',
    method: 'post',
    path: '/api/v1/config/apply',
    summary: 'Apply a bundle or a plain config; the verdict comes in the status',
    permission: 'configs:deploy',
    query: z.strictObject({
      ...fileQuery,
      /** Taken back after so long unless it is confirmed. */
      confirm_ms: z.optional(integerSchema(1, 86_400_000)),
    }),
    rawBody: 'application/octet-stream',
    ok: { status: 202, schema: z.object({ ...handedSchema, digests: z.array(z.string()) }) },
    problems: [...fileProblems, 'server.held'],
    example: {},
  }),
  confirm: route({
    id: 'confirmConfig',
    method: 'post',
    path: '/api/v1/config/confirm',
    summary: 'Keep the version that would be taken back otherwise',
    permission: 'configs:deploy',
    ok: { status: 200, schema: z.object({ epoch: countSchema, generation: countSchema }) },
    problems: ['confirm.nothing-pending'],
    example: {},
  }),
  rotateKey: route({
    id: 'rotateServerKey',
    method: 'post',
    path: '/api/v1/key/rotate',
    summary: 'Replace the key of this server; at every moment the manager knows one that is here',
    permission: 'servers:write',
    ok: { status: 200, schema: z.object({ keyid: z.string() }) },
    problems: [
      'agent.not-joined',
      'manager.unreachable',
      'manager.untrusted',
      'auth.signature-invalid',
      'auth.revoked',
    ],
    example: {},
  }),
  events: route({
    id: 'listAgentEvents',
    method: 'get',
    path: '/api/v1/events',
    summary: 'Recent events of this agent, newest first',
    permission: 'events:read',
    query: pageQuery,
    ok: { status: 200, schema: page(eventSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  logs: route({
    id: 'getLogs',
    method: 'get',
    path: '/api/v1/logs',
    summary: 'The last lines of the engines, secrets hidden',
    permission: 'events:read',
    query: z.strictObject({
      unit: z.optional(z.string()),
      lines: z.prefault(integerSchema(1, 1000), 100),
    }),
    ok: { status: 200, schema: z.object({ items: z.array(z.object({ unit: z.string(), line: z.string() })) }) },
    problems: ['request.invalid', 'unit.not-found'],
    example: {},
  }),
  metrics: route({
    id: 'getAgentMetrics',
    method: 'get',
    path: '/api/v1/metrics/prometheus',
    summary: 'Metrics in the text format of Prometheus',
    permission: 'status:read',
    ok: { status: 200, bytes: 'text/plain; version=0.0.4; charset=utf-8' },
    problems: [],
    example: {},
  }),
  import: route({
    id: 'importBundle',
    method: 'post',
    path: '/api/v1/import',
    summary: 'Take a bundle; it is checked like a manifest from the network',
    permission: 'configs:deploy',
    rawBody: 'application/x-tar',
    ok: { status: 202, schema: z.object({ epoch: countSchema, generation: countSchema }) },
    problems: [
      'bundle.invalid',
      'manifest.signature-invalid',
      'manifest.stale',
      'manifest.wrong-server',
      'blob.digest-mismatch',
    ],
    example: {},
  }),
};
