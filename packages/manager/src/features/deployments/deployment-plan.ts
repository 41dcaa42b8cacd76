import type { Generation } from '@sbox/core';

export type DeploymentState = 'running' | 'succeeded' | 'halted' | 'superseded';
/**
 * `waiting`: not told yet. `sent`: has a manifest to follow. `serving`, `committed`, `refused`: what its agent said of
 * that manifest. `moved`: it got another order since, or is gone.
 */
export type ServerState = 'waiting' | 'sent' | 'serving' | 'committed' | 'refused' | 'moved';

export interface HaltReason {
  readonly server_id: string;
  readonly code: string;
  readonly detail: string;
}

export interface PlanServer {
  readonly server_id: string;
  readonly state: ServerState;
  readonly is_online: boolean;
  /** It never joined: it gets bundles by hand and gives no verdicts. */
  readonly is_island: boolean;
  /** How long ago it got its manifest; 0 while it waits. */
  readonly sent_ms_ago: number;
}

export type Step =
  | { readonly kind: 'wait' }
  | { readonly kind: 'send'; readonly server_ids: readonly string[] }
  | { readonly kind: 'halt'; readonly reason: HaltReason }
  | { readonly kind: 'succeed' };

/**
 * What to do next with a deployment, from nothing but the state of its servers, so that it goes on after any
 * interruption. One server first; the rest when it has committed. A first server that was reached and then went silent
 * may be one that the version cut off: nobody follows it. A server that was offline all along holds nobody up.
 */
export function nextStep(servers: readonly PlanServer[], refusal: HaltReason | undefined, verdictMs: number): Step {
  if (refusal) return { kind: 'halt', reason: refusal };
  const joined = servers.filter(({ is_island }) => !is_island);
  const isProved = joined.length === 0 || joined.some(({ state }) => state === 'committed');
  // Before the proof whoever was sent to was online then; after it only those count that took the version over.
  const expected = joined.filter(
    ({ state, is_online }) => state === 'serving' || (state === 'sent' && (!isProved || is_online)),
  );
  const late = expected.find(({ sent_ms_ago }) => sent_ms_ago > verdictMs);
  if (late) return { kind: 'halt', reason: silence(late.server_id, verdictMs) };

  const waiting = servers.filter(({ state }) => state === 'waiting');
  if (isProved && waiting.length > 0) return { kind: 'send', server_ids: waiting.map(({ server_id }) => server_id) };
  if (expected.length > 0) return { kind: 'wait' };
  if (isProved) return { kind: 'succeed' };
  const first = waiting.find(({ is_online, is_island }) => is_online && !is_island);
  return first ? { kind: 'send', server_ids: [first.server_id] } : { kind: 'wait' };
}

const silence = (server_id: string, verdictMs: number): HaltReason => ({
  server_id,
  code: 'deployment.no-verdict',
  detail: `no verdict within ${Math.round(verdictMs / 1000)} s`,
});

/** One generation; what runs under its number but is none of its content is an order of who the server was before it joined again. */
export interface JudgedOrder extends Generation {
  readonly digests?: readonly string[] | undefined;
}

type Said = (Generation & { readonly digest?: string | null }) | null;

/** What an agent's status says about one generation. */
export function verdictOf(
  { epoch, generation, digests }: JudgedOrder,
  status: { readonly running: Said; readonly committed: Generation | null; readonly nack: Said },
): 'sent' | 'serving' | 'committed' | 'refused' {
  const is = (other: Generation | null): boolean => other?.epoch === epoch && other.generation === generation;
  const isForeign = ({ digest = null }: NonNullable<Said>): boolean =>
    digest !== null && digests !== undefined && digests.length > 0 && !digests.includes(digest);
  if (is(status.nack)) return 'refused';
  if (status.running && is(status.running) && isForeign(status.running)) return 'sent';
  if (is(status.committed)) return 'committed';
  return is(status.running) ? 'serving' : 'sent';
}
