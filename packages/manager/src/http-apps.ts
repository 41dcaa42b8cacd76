import type { Clock, NewId } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Metrics } from '@sbox/daemon/metrics';
import { createApp, mount, type Guard, type Handlers, type Replay } from '@sbox/daemon/serve';
import { agentRoutes, operatorContract, type OperatorContract } from '@sbox/protocol';
import { mountDocuments } from './documents/documents.ts';
import type { metricTable } from './metric-table.ts';
import type { ListenerSettings } from './settings.ts';

export interface AppsDeps {
  readonly log: Logger;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly metrics: Metrics<typeof metricTable>;
  readonly guard: Guard;
  readonly replay: Replay;
  readonly operators: Handlers<OperatorContract>;
  readonly agents: Handlers<typeof agentRoutes>;
  readonly version: string;
}

/** A subscription's text is the largest thing that people or agents send. */
const maxSubscriptionBytes = 17 * 1024 * 1024;
const maxJsonBytes = 1024 * 1024;

/** What one listener answers: only what it is set to serve is there at all. */
export function createManagerApp(deps: AppsDeps, serves: ListenerSettings['serves']) {
  const { log, clock, newId, metrics, guard, replay } = deps;
  const app = createApp({
    log,
    clock,
    newId,
    record({ method, route, status, seconds }) {
      metrics.add('sbox_http_requests_total', { method, route, status: String(status) });
      metrics.observe('sbox_http_request_seconds', seconds, { route });
    },
  });
  if (serves.includes('agents')) {
    const { draft, ...small } = agentRoutes;
    const { draft: takeDraft, ...handlers } = deps.agents;
    mount(app, small, handlers, { guard, maxBodyBytes: maxJsonBytes });
    mount(app, { draft }, { draft: takeDraft }, { guard, maxBodyBytes: maxSubscriptionBytes });
  }
  if (serves.includes('api')) {
    const { subscriptions, ...others } = operatorContract;
    const { subscriptions: answerSubscriptions, ...answerOthers } = deps.operators;
    mount(
      app,
      { subscriptions },
      { subscriptions: answerSubscriptions },
      { guard, maxBodyBytes: maxSubscriptionBytes, replay },
    );
    mount(app, others, answerOthers, { guard, maxBodyBytes: maxJsonBytes, replay });
    mountDocuments(app, { version: deps.version });
  } else {
    const { live, ready } = operatorContract.system;
    const { live: answerLive, ready: answerReady } = deps.operators.system;
    mount(app, { live, ready }, { live: answerLive, ready: answerReady }, { guard, maxBodyBytes: 0 });
  }
  return app;
}
