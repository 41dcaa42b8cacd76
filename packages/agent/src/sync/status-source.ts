import { isoTime, type Clock } from '@sbox/core';
import type { AgentStatus, EngineReport, Nack } from '@sbox/protocol';
import { agentFacts } from '../identity/agent-facts.ts';
import { observedAs, type Reconciler } from '../order.ts';
import { skewLimitMs, type ServerClock } from './server-clock.ts';
import { createConditions, factsOf } from './status-document.ts';

/** What only the connection to the manager knows. */
export interface ManagerView {
  readonly isReachable: boolean;
  readonly reason: string;
  readonly refusal: Nack | null;
  readonly drift: string | null;
}

export interface StatusSourceDeps {
  readonly bootId: string;
  /** The engines of this machine, as last seen. */
  readonly engines: () => readonly EngineReport[];
  readonly reconciler: Pick<Reconciler, 'state'>;
  /** Who this server is now. */
  readonly serverId?: () => string | undefined;
  /** Undefined on a server that has no manager. */
  readonly manager: () => ManagerView | undefined;
  /** The last file to import that was refused, until another one is taken. */
  readonly importRefusal: () => Nack | null;
  readonly serverClock: ServerClock;
  readonly clock: Clock;
}

/** The status of this agent, as the manager and the local API get it. */
export interface StatusSource {
  /** `seq` is 0; who sends it puts in its own. */
  status(): AgentStatus;
}

export function createStatusSource(deps: StatusSourceDeps): StatusSource {
  const { bootId, reconciler, manager, serverClock, clock } = deps;
  const conditions = createConditions(clock);
  const agent = agentFacts();
  return {
    status() {
      const { state } = reconciler;
      const view = manager();
      const facts = factsOf({
        state,
        manager: view,
        refusal: view?.refusal ?? null,
        drift: view?.drift ?? null,
        clockOffsetMs: serverClock.offsetMs,
        isClockSkewed: Math.abs(serverClock.offsetMs) > skewLimitMs,
      });
      return {
        boot_id: bootId,
        seq: 0,
        sent_at: isoTime(clock.now()),
        agent,
        engines: deps.engines().map((engine) => ({ ...engine, tags: [...engine.tags] })),
        phase: state.phase,
        observed: observedAs(state, deps.serverId?.()),
        running: state.running,
        committed: state.committed,
        conditions: conditions(facts),
        units: [...state.units],
        confirm: state.confirm,
        unsupported: [...state.unsupported],
        nack: view?.refusal ?? state.nack ?? deps.importRefusal(),
      };
    },
  };
}
