import * as z from 'zod/mini';
import { countSchema, looseEnum, named } from '../schema.ts';

const generation = { epoch: countSchema, generation: countSchema };

/** One fact about the agent that is true, false or not known, with the reason. */
export const conditionTypes = [
  'Ready',
  'Reconciled',
  'Progressing',
  'Degraded',
  'ManagerReachable',
  'Drift',
  'ClockSkewed',
  'DiskPressure',
  'Frozen',
] as const;

/** Where the agent is with what it was told: see docs/concepts.md. */
export const phases = ['idle', 'progressing', 'serving', 'committed', 'degraded', 'held'] as const;

export const unitStates = [
  'stopped',
  'starting',
  'watching',
  'running',
  'degraded',
  'backoff',
  'crash-loop',
  'failed',
] as const;

/** At which step of applying a version something happened. */
export const applyStages = ['verify', 'fetch', 'validate', 'trial', 'apply', 'watch', 'rollback'] as const;

export const nackSchema = named(
  'Nack',
  'A refused generation: where it failed, why in the words of the engine, and what runs instead.',
  z.object({
    ...generation,
    digest: z.nullable(z.string()),
    stage: looseEnum(applyStages),
    code: z.string(),
    unit: z.nullable(z.string()),
    message: z.string().check(z.maxLength(2048)),
    /** True when only other bytes can help; false when it is tried again by itself. */
    sticky: z.boolean(),
    at: z.string(),
    retry_at: z.nullable(z.string()),
  }),
);
export type Nack = z.output<typeof nackSchema>;

export const agentStatusSchema = named(
  'AgentStatus',
  'What an agent says of itself. Unchanged statuses are not sent.',
  z.object({
    boot_id: z.string(),
    seq: countSchema,
    sent_at: z.string(),
    agent: z.object({ version: z.string(), os: z.string(), arch: z.string(), host_name: z.string() }),
    engines: z.array(z.object({ kind: z.string(), version: z.string(), tags: z.array(z.string()) })),
    phase: looseEnum(phases),
    /** The newest generation that was seen and verified. */
    observed: z.nullable(z.object(generation)),
    /** What serves now, and where it came from. `digest` is of the first unit's rendition. */
    running: z.nullable(
      z.object({ ...generation, source: looseEnum(['manager', 'bundle', 'local']), digest: z.nullable(z.string()) }),
    ),
    /** What stayed healthy for the watch. */
    committed: z.nullable(z.object(generation)),
    conditions: z.array(
      z.object({
        type: looseEnum(conditionTypes),
        status: looseEnum(['true', 'false']),
        reason: z.string(),
        message: z.string(),
        since: z.string(),
      }),
    ),
    units: z.array(
      z.object({
        name: z.string(),
        state: looseEnum(unitStates),
        pid: z.nullable(z.int()),
        digest: z.nullable(z.string()),
        started_at: z.nullable(z.string()),
        restarts: countSchema,
        /** `host:port` of each inbound that programs use. */
        listens: z.array(z.object({ tag: z.string(), address: z.string() })),
        probe: z.nullable(
          z.object({ ok: z.boolean(), ms: z.nullable(z.number()), detail: z.string(), at: z.string() }),
        ),
        message: z.string(),
      }),
    ),
    nack: z.nullable(nackSchema),
  }),
);
export type AgentStatus = z.output<typeof agentStatusSchema>;
export type UnitStatus = AgentStatus['units'][number];
export type Condition = AgentStatus['conditions'][number];

/** Of an agent that has joined and runs nothing yet. */
export const exampleStatus: AgentStatus = {
  boot_id: 'example-boot',
  seq: 1,
  sent_at: '2026-01-01T00:00:00.000Z',
  agent: { version: '0.1.0', os: 'linux', arch: 'x64', host_name: 'example' },
  engines: [{ kind: 'sing-box', version: '1.14.4', tags: ['with_quic'] }],
  phase: 'idle',
  observed: null,
  running: null,
  committed: null,
  conditions: [],
  units: [],
  nack: null,
};
