import * as z from 'zod/mini';
import { countSchema } from '../schema.ts';

/** The sub-protocol of `GET /api/agent/v1/stream`. The upgrade request is signed like every other. */
export const agentSubprotocol = 'sbox.agent.v1';
export const agentStreamPath = '/api/agent/v1/stream';

/** How a socket is closed, beside the codes of RFC 6455. */
export const closeCodes = {
  tooBig: 1009,
  draining: 1012,
  overloaded: 1013,
  unauthorised: 4401,
  replaced: 4409,
} as const;

const frame = <const T extends string, D extends z.ZodMiniType>(type: T, data: D) =>
  z.object({ type: z.literal(type), timestamp: z.string(), data });
const generation = z.object({ epoch: countSchema, generation: countSchema });

/**
 * Hints, not state: a frame only says that there is something to ask for, so that loss, doubling and disorder are
 * harmless.
 */
export const managerFrameSchema = z.discriminatedUnion('type', [
  /** First frame after the upgrade. */
  frame('welcome', z.object({ server_time: z.string(), heartbeat_ms: countSchema, desired: z.nullable(generation) })),
  /** There is a newer generation. */
  frame('hint', generation),
  /** The manager stops soon: reconnect after so long. */
  frame('drain', z.object({ delay_ms: countSchema })),
]);
export type ManagerFrame = z.output<typeof managerFrameSchema>;

export const agentFrameSchema = z.discriminatedUnion('type', [
  /** Still here; sent every heartbeat. */
  frame('heartbeat', z.object({ seq: countSchema })),
]);
export type AgentFrame = z.output<typeof agentFrameSchema>;
