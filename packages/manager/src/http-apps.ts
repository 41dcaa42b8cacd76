import type { Clock, NewId } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Metrics } from '@sbox/daemon/metrics';
import {
  createApp,
  mount,
  type AddressOf,
  type App,
  type Gatekeeper,
  type Handlers,
  type MountOptions,
  type Replay,
  type Step,
} from '@sbox/daemon/serve';
import { agentRoutes, operatorContract, singleSignOn, type OperatorContract } from '@sbox/protocol';
import { mountDocuments } from './documents/documents.ts';
import type { metricTable } from './metric-table.ts';
import type { ListenerSettings } from './settings.ts';

export interface AppsDeps {
  readonly log: Logger;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly metrics: Metrics<typeof metricTable>;
  readonly gatekeeper: Gatekeeper;
  readonly addressOf: AddressOf;
  /** Steps around every handler. */
  readonly around?: readonly Step[];
  readonly refused?: NonNullable<MountOptions['refused']>;
  readonly replay: Replay;
  readonly corsOrigins: readonly string[];
  readonly operators: Handlers<OperatorContract>;
  readonly singleSignOn: Handlers<typeof singleSignOn>;
  readonly agents: Handlers<typeof agentRoutes>;
  readonly version: string;
}

export interface ServedPart {
  readonly serves: ListenerSettings['serves'];
  /** Whether it speaks TLS. */
  readonly isSecure: boolean;
}

/** A subscription's text is the largest thing that people or agents send. */
const maxSubscriptionBytes = 17 * 1024 * 1024;
const maxJsonBytes = 1024 * 1024;

/** What one listener answers: only what it is set to serve is there at all. */
export function createManagerApp(deps: AppsDeps, { serves, isSecure }: ServedPart): App {
  const { log, clock, newId, metrics, replay } = deps;
  const { gatekeeper, addressOf, corsOrigins, around = [], refused } = deps;
  const undeclared: MountOptions['undeclared'] = ({ id }, code) =>
    log.warn('problem is not declared by its route', { route_id: id, code });
  const gate = { gatekeeper, addressOf, around, undeclared, ...(refused ? { refused } : {}) };
  // Of another version than this manager, and not to be cut off for it.
  const agentsGate = { ...gate, isTolerant: true };
  const app = createApp({
    log,
    clock,
    newId,
    isSecure,
    corsOrigins: serves.includes('api') ? corsOrigins : [],
    record({ method, route, status, seconds }) {
      metrics.add('sbox_http_requests_total', { method, route, status: String(status) });
      metrics.observe('sbox_http_request_seconds', seconds, { route });
    },
  });
  if (serves.includes('agents')) {
    const { draft, ...small } = agentRoutes;
    const { draft: takeDraft, ...handlers } = deps.agents;
    mount(app, small, handlers, { ...agentsGate, maxBodyBytes: maxJsonBytes });
    mount(app, { draft }, { draft: takeDraft }, { ...agentsGate, maxBodyBytes: maxSubscriptionBytes });
  }
  if (serves.includes('sub')) {
    const { sub } = operatorContract;
    mount(app, { sub }, { sub: deps.operators.sub }, { ...gate, maxBodyBytes: 0 });
  }
  if (serves.includes('api')) {
    const { subscriptions, sub: _, ...others } = operatorContract;
    const { subscriptions: answerSubscriptions, sub: __, ...answerOthers } = deps.operators;
    mount(
      app,
      { subscriptions },
      { subscriptions: answerSubscriptions },
      { ...gate, maxBodyBytes: maxSubscriptionBytes, replay },
    );
    mount(app, others, answerOthers, { ...gate, maxBodyBytes: maxJsonBytes, replay });
    mount(app, singleSignOn, deps.singleSignOn, { ...gate, maxBodyBytes: maxJsonBytes });
    mountDocuments(app, { version: deps.version, gate });
  } else {
    const { live, ready } = operatorContract.system;
    const { live: answerLive, ready: answerReady } = deps.operators.system;
    mount(app, { live, ready }, { live: answerLive, ready: answerReady }, { ...gate, maxBodyBytes: 0 });
  }
  return app;
}
