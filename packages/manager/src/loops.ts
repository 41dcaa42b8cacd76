import { isoTime, type Clock } from '@sbox/core';
import type { Metrics } from '@sbox/daemon/metrics';
import type { Background } from './background.ts';
import type { Store } from './database/store.ts';
import type { Features } from './features.ts';
import type { Stream } from './features/agents/stream.ts';
import type { Presence } from './features/servers/presence.ts';
import { createSchedule } from './features/subscriptions/subscription-schedule.ts';
import type { Idempotency } from './idempotency.ts';
import type { metricTable } from './metric-table.ts';
import { msOf, type ManagerSettings } from './settings.ts';

export interface LoopsDeps {
  readonly settings: ManagerSettings;
  readonly store: Store;
  readonly clock: Clock;
  readonly background: Background;
  readonly features: Features;
  readonly presence: Presence;
  readonly idempotency: Idempotency;
  readonly stream: Stream;
  readonly metrics: Metrics<typeof metricTable>;
}

const secondMs = 1000;
/** Deletes are short so that nobody waits for them. */
const cleanedAtOnce = 200;

/** What the manager does without being asked. */
export function startLoops(deps: LoopsDeps): void {
  const { settings, store, clock, background, features, presence, idempotency, stream, metrics } = deps;
  const { refresher, ruleSets, statuses, deployments } = features;
  background.run('follow what was left', async () => await features.followLeft());
  const fetchDue = createSchedule({ store, refresher, clock, background });
  background.repeat('scheduled fetches', secondMs, fetchDue);
  background.repeat('scheduled rule-sets', 10 * secondMs, async () => await ruleSets.refreshDue());
  background.repeat('store statuses', secondMs, async () => await statuses.flush());
  background.repeat('store presence', 5 * secondMs, async () => await presence.flush());
  background.repeat('deployments', 5 * secondMs, async () => await deployments.tick());
  background.repeat('sockets', msOf(settings.agents.heartbeat), async () => {
    stream.sweep();
    await Promise.resolve();
  });
  background.repeat('count sockets', secondMs, async () => {
    metrics.set('sbox_agent_sockets', stream.sockets);
    await Promise.resolve();
  });
  background.repeat('clean up', 10 * secondMs, async () => {
    const oldest = isoTime(clock.now() - msOf(settings.events.keep));
    await store.events.removeBefore(oldest, cleanedAtOnce);
    await idempotency.clean(cleanedAtOnce);
  });
}
