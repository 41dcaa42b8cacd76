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
  'UplinkDown',
  'MemoryPressure',
  'FdPressure',
  'ConfirmPending',
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

/** What an agent and its machine are; `features` is absent from the first agents, see `agentFeatures`. */
export const agentFactsSchema = z.object({
  version: z.string(),
  os: z.string(),
  arch: z.string(),
  host_name: z.string(),
  features: z.optional(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(64))),
});
export type AgentFacts = z.output<typeof agentFactsSchema>;

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

/** How an engine takes a new version, the gentlest first. */
export const reloadStrategies = ['no-op', 'live', 'swap', 'overlap', 'in-place', 'restart', 'start'] as const;

export const reloadPlanSchema = named(
  'ReloadPlan',
  'How a unit takes a version, what that costs, and why nothing gentler was possible.',
  z.object({
    unit: z.string(),
    strategy: looseEnum(reloadStrategies),
    /** In a sentence: `will end 214 connections; swap would end 0`; in a status, of what is over: `ended 214 …`. */
    message: z.string(),
    /** Open connections at that time; null when the engine could not be asked. */
    connections: z.nullable(countSchema),
    will_end: z.nullable(countSchema),
    /** The gentler ones that were not possible, in order, and why. */
    refused: z.array(z.object({ strategy: looseEnum(reloadStrategies), why: z.string() })),
  }),
);
export type ReloadPlan = z.output<typeof reloadPlanSchema>;
export type ReloadStrategy = (typeof reloadStrategies)[number];

export const agentStatusSchema = named(
  'AgentStatus',
  'What an agent says of itself. Unchanged statuses are not sent.',
  z.object({
    boot_id: z.string(),
    seq: countSchema,
    sent_at: z.string(),
    agent: agentFactsSchema,
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
        /** How the version that runs was taken; absent from agents that do not know it. */
        reload: z.optional(z.nullable(z.extend(reloadPlanSchema, { at: z.string() }))),
        /** Engines of earlier versions that still serve the connections they have. */
        draining: z.optional(
          z.array(z.object({ pid: z.int(), connections: z.nullable(countSchema), until: z.string() })),
        ),
        /** The unit's `probes`, by id. */
        probes: z.optional(
          z.array(z.object({ id: z.string(), up: z.nullable(z.boolean()), detail: z.string(), at: z.string() })),
        ),
        /** Of the engine's process. */
        rss_bytes: z.optional(z.nullable(countSchema)),
        open_files: z.optional(z.nullable(countSchema)),
      }),
    ),
    /** A version that is taken back at that time unless it is confirmed. */
    confirm: z.optional(z.nullable(z.object({ ...generation, until: z.string() }))),
    /** Places of the order that this agent does not know and leaves alone, as `units[0].colour`. */
    unsupported: z.optional(z.array(z.string())),
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
