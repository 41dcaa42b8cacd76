import { readFileSync } from 'node:fs';
import { createMetrics } from '@sbox/daemon/metrics';
import { version } from '../version.ts';
import type { LocalApiDeps } from './local-api-deps.ts';
import { metricTable } from './metric-table.ts';

/** Everything is read when somebody asks: an agent that nobody scrapes keeps no metrics. */
export async function printMetrics({ reconciler, manager, events }: LocalApiDeps): Promise<string> {
  const metrics = createMetrics(metricTable);
  const { state } = reconciler;
  metrics.set('sboxagent_build_info', 1, { version });
  for (const { name, state: unit, restarts } of state.units) {
    metrics.set('sboxagent_unit_up', unit === 'running' || unit === 'watching' ? 1 : 0, { unit: name });
    metrics.add('sboxagent_unit_restarts_total', { unit: name }, restarts);
  }
  for (const { unit, role, rss_bytes: bytes } of reconciler.processes()) {
    if (bytes !== null) metrics.set('sboxagent_engine_resident_bytes', bytes, { unit, role });
  }
  metrics.set('sboxagent_config_generation', state.running?.generation ?? -1);
  metrics.set('sboxagent_config_committed_generation', state.committed?.generation ?? -1);
  const session = manager();
  metrics.set('sboxagent_manager_reachable', session?.reachability.isReachable ? 1 : 0);
  metrics.set('sboxagent_manager_failed_tries', session?.reachability.tries ?? 0);
  metrics.add('sboxagent_events_total', {}, events.total);
  const refused = session?.refusal ?? state.nack;
  if (refused) metrics.set('sboxagent_refused', 1, { code: refused.code });
  const own = readFileSync('/proc/self/status', 'utf8');
  metrics.set('sboxagent_resident_memory_bytes', bytesOf(own, 'VmRSS'));
  metrics.set('sboxagent_anonymous_memory_bytes', bytesOf(own, 'RssAnon'));
  return await metrics.print();
}

const bytesOf = (status: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
