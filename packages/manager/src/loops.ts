import { isoTime, type Clock } from '@sbox/core';
import type { Metrics } from '@sbox/daemon/metrics';
import { sessionTimes } from './access/sessions.ts';
import type { Background } from './background.ts';
import type { Store } from './database/store.ts';
import type { Features } from './features.ts';
import type { Stream } from './features/agents/stream.ts';
import type { Audit } from './features/audit/audit.ts';
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
  readonly audit: Pick<Audit, 'tick'>;
  readonly metrics: Metrics<typeof metricTable>;
  readonly lookAtCertificates: () => Promise<void>;
}

const secondMs = 1000;
const hourMs = 3_600_000;
/** Deletes are short so that nobody waits for them. */
const cleanedAtOnce = 200;
/** So that a refusal can still say why. */
const deadTokensKeptMs = 7 * 86_400_000;

/** What the manager does without being asked. */
export function startLoops(deps: LoopsDeps): void {
  const { settings, store, clock, background, features, presence, idempotency, stream, metrics, audit } = deps;
  const { refresher, ruleSets, statuses, deployments, retention } = features;
  background.run('follow what was left', async () => await features.followLeft());
  const fetchDue = createSchedule({ store, refresher, clock, background });
  background.repeat('scheduled fetches', secondMs, fetchDue);
  background.repeat('scheduled rule-sets', 10 * secondMs, async () => await ruleSets.refreshDue());
  background.repeat('store statuses', secondMs, async () => await statuses.flush());
  background.repeat('store fetches of clients', 5 * secondMs, async () => await features.clientFetches.flush());
  background.repeat('store presence', 5 * secondMs, async () => await presence.flush());
  background.repeat('deployments', 5 * secondMs, async () => await deployments.tick());
  background.repeat('held deployments', 5 * secondMs, async () => await features.deployHeld());
  background.repeat('overrides', secondMs, async () => await features.settings.overrides.endDue());
  background.repeat('newcomers', secondMs, async () => await features.newcomers.tick());
  background.repeat('sockets', msOf(settings.agents.heartbeat), async () => {
    stream.sweep();
    await Promise.resolve();
  });
  background.repeat('count sockets', secondMs, async () => {
    metrics.set('sbox_agent_sockets', stream.sockets);
    await Promise.resolve();
  });
  background.repeat('retention', hourMs, async () => await retention.tick());
  background.repeat('audit', 10 * secondMs, async () => await audit.tick());
  // Files may be replaced at any time; the manager's own certificate only nears its end.
  const certificatesMs = settings.tls.cert_file === undefined ? hourMs : 60 * secondMs;
  background.repeat('certificates', certificatesMs, deps.lookAtCertificates);
  background.repeat('clean up', 10 * secondMs, async () => {
    const oldest = isoTime(clock.now() - msOf(settings.events.keep));
    await store.events.removeBefore(oldest, cleanedAtOnce);
    await idempotency.clean(cleanedAtOnce);
    await store.sessions.removeOver(sessionTimes(clock.now()), cleanedAtOnce);
    await store.tokens.removeDead(isoTime(clock.now() - deadTokensKeptMs), cleanedAtOnce);
  });
}
