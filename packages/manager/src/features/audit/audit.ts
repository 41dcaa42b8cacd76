import type { Step } from '@sbox/daemon/serve';
import { createAuditService, type AuditService } from './audit-service.ts';
import { createCheckpoints, type Checkpoints, type CheckpointsDeps } from './audit-checkpoints.ts';
import { createRefusals } from './audit-refusals.ts';
import { createAuditStep, type AuditStep, type AuditStepDeps } from './audit-step.ts';

export interface Audit extends AsyncDisposable {
  readonly service: AuditService;
  /** For the mount of routes. */
  readonly gate: { readonly around: readonly Step[]; readonly refused: AuditStep['refused'] };
  /** For sockets, which are no requests of routes. */
  readonly denied: AuditStep['denied'];
  readonly broken: Checkpoints['broken'];
  /** Looks at the log that this process has found. */
  begin: Checkpoints['begin'];
  /** Writes what was counted, and signs what is due; to be called every few seconds. */
  tick(): Promise<void>;
}

/** The audit log of a manager. Dispose writes down what was only counted, and signs the last entries. */
export function createAudit(deps: CheckpointsDeps & Omit<AuditStepDeps, 'refusals'>): Audit {
  const refusals = createRefusals(deps);
  const checkpoints = createCheckpoints(deps);
  const { around, refused, denied } = createAuditStep({ ...deps, refusals });
  return {
    service: createAuditService(deps.store),
    gate: { around: [around], refused },
    denied,
    broken: checkpoints.broken,
    begin: checkpoints.begin,
    async tick() {
      await refusals.flush();
      await checkpoints.tick();
    },
    async [Symbol.asyncDispose]() {
      await refusals.flush(true);
      await checkpoints.sign();
    },
  };
}
