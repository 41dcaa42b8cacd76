import type { MetricTable } from '@sbox/daemon/metrics';

/** Every metric of the agent. Labels are unit names and states: few, and never addresses. */
export const metricTable = {
  sboxagent_build_info: { type: 'gauge', help: 'Always 1; the version is a label.', labels: ['version'] },
  sboxagent_unit_up: { type: 'gauge', help: '1 while a unit runs.', labels: ['unit'] },
  sboxagent_unit_restarts_total: {
    type: 'counter',
    help: 'Restarts of a unit since the agent started.',
    labels: ['unit'],
  },
  sboxagent_engine_resident_bytes: { type: 'gauge', help: 'Resident memory of an engine.', labels: ['unit', 'role'] },
  sboxagent_config_generation: { type: 'gauge', help: 'Generation that runs; 0 for an imported config, -1 for none.' },
  sboxagent_config_committed_generation: {
    type: 'gauge',
    help: 'Generation that stayed healthy for its watch, -1 for none.',
  },
  sboxagent_manager_reachable: { type: 'gauge', help: '1 while the manager answers.' },
  sboxagent_manager_failed_tries: { type: 'gauge', help: 'Failed tries since the manager last answered.' },
  sboxagent_events_total: { type: 'counter', help: 'Events since the agent started.', labels: ['type'] },
  sboxagent_reloads_total: {
    type: 'counter',
    help: 'Versions taken over since the agent started, by how.',
    labels: ['strategy'],
  },
  sboxagent_reload_connections_ended_total: {
    type: 'counter',
    help: 'Connections that take-overs ended since the agent started.',
    labels: ['strategy'],
  },
  sboxagent_draining_engines: {
    type: 'gauge',
    help: 'Engines of earlier versions that still serve the connections they have.',
    labels: ['unit'],
  },
  sboxagent_draining_connections: { type: 'gauge', help: 'Connections of draining engines.', labels: ['unit'] },
  sboxagent_confirm_pending: { type: 'gauge', help: '1 while a version is taken back unless it is confirmed.' },
  sboxagent_condition: { type: 'gauge', help: '1 while a condition is true.', labels: ['type'] },
  sboxagent_unit_probe_up: { type: 'gauge', help: '1 while a probe of a unit succeeds.', labels: ['unit', 'probe'] },
  sboxagent_engine_open_files: { type: 'gauge', help: 'Open files of an engine.', labels: ['unit'] },
  sboxagent_refused: { type: 'gauge', help: '1 while the newest generation is refused.', labels: ['code'] },
  sboxagent_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of the agent.' },
  sboxagent_anonymous_memory_bytes: { type: 'gauge', help: 'Private memory of the agent (RssAnon).' },
} as const satisfies MetricTable;
