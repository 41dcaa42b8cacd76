import type { ReconcilerSettings } from '../apply/context.ts';
import type { AgentSettings } from './schema.ts';

/** The keys below `apply` as the reconciler takes them. */
export const applySettings = ({ apply }: Pick<AgentSettings, 'apply'>): Partial<ReconcilerSettings> => ({
  start_ms: apply.start,
  verify_ms: apply.verify,
  watch_every_ms: apply.watch_every,
  watch_fails: apply.watch_fails,
  stop_ms: apply.stop,
  crash_rollback_ms: apply.crash_rollback,
  retry_ms: apply.retry,
});
