import { readFileSync } from 'node:fs';
import { createMetrics, type Metrics } from '@sbox/daemon/metrics';
import type { AgentStatus } from '@sbox/protocol';
import { version } from '../version.ts';
import type { LocalApiDeps } from './local-api-deps.ts';
import { metricTable } from './metric-table.ts';

/** Everything is read when somebody asks: an agent that nobody scrapes keeps no metrics. */
export async function printMetrics(deps: LocalApiDeps): Promise<string> {
  const { reconciler, manager, events, statusSource } = deps;
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
  for (const [type, count] of events.counts) metrics.add('sboxagent_events_total', { type }, count);
  addReloads(metrics, deps);
  addStatus(metrics, statusSource.status());
  const refused = session?.refusal ?? state.nack;
  if (refused) metrics.set('sboxagent_refused', 1, { code: refused.code });
  const own = readFileSync('/proc/self/status', 'utf8');
  metrics.set('sboxagent_resident_memory_bytes', bytesOf(own, 'VmRSS'));
  metrics.set('sboxagent_anonymous_memory_bytes', bytesOf(own, 'RssAnon'));
  return await metrics.print();
}

type AgentMetrics = Metrics<typeof metricTable>;

function addReloads(metrics: AgentMetrics, { reloads }: LocalApiDeps): void {
  for (const [strategy, { count, ended }] of reloads()) {
    metrics.add('sboxagent_reloads_total', { strategy }, count);
    metrics.add('sboxagent_reload_connections_ended_total', { strategy }, ended);
  }
}

function addStatus(metrics: AgentMetrics, { units, conditions, confirm }: AgentStatus): void {
  metrics.set('sboxagent_confirm_pending', confirm ? 1 : 0);
  for (const { type, status } of conditions) metrics.set('sboxagent_condition', status === 'true' ? 1 : 0, { type });
  for (const { name: unit, draining = [], probes = [], open_files: files } of units) {
    const connections = draining.reduce((sum, each) => sum + (each.connections ?? 0), 0);
    metrics.set('sboxagent_draining_engines', draining.length, { unit });
    metrics.set('sboxagent_draining_connections', connections, { unit });
    for (const { id, up } of probes)
      if (up !== null) metrics.set('sboxagent_unit_probe_up', up ? 1 : 0, { unit, probe: id });
    if (typeof files === 'number') metrics.set('sboxagent_engine_open_files', files, { unit });
  }
}

const bytesOf = (status: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
