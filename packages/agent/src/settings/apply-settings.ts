import type { ReconcilerSettings } from '../apply/context.ts';
import type { AgentSettings } from './schema.ts';

/** The keys below `apply`, `logs` and `budget` as the reconciler takes them. */
export const applySettings = ({
  apply,
  logs,
  budget,
}: Pick<AgentSettings, 'apply' | 'logs' | 'budget'>): Partial<ReconcilerSettings> => ({
  start_ms: apply.start,
  verify_ms: apply.verify,
  watch_every_ms: apply.watch_every,
  watch_fails: apply.watch_fails,
  drain_ms: apply.drain,
  stop_ms: apply.stop,
  confirm_ms: apply.confirm,
  crash_rollback_ms: apply.crash_rollback,
  retry_ms: apply.retry,
  exec_probes: apply.exec_probes,
  logs: { maxBytes: logs.max_bytes, files: logs.files, linesPerSecond: logs.lines_per_second },
  budget: {
    memory_bytes: budget.memory,
    engine_memory_bytes: budget.engine_memory,
    disk_free_bytes: budget.disk_free,
  },
});
