import { ProblemError, messageOf, type ProblemCode } from '@sbox/core';
import type { applyStages } from '@sbox/protocol';
import { isDiskProblem } from '../state/disk.ts';

export type ApplyStage = (typeof applyStages)[number];

/** What a failure says about the future of the same bytes. */
export type Verdict =
  /** The bytes decided it: they are never tried again by this engine. */
  | 'final'
  /** Once may be chance; the same failure again is final. */
  | 'strike'
  /** The surroundings decided it: tried again later. */
  | 'retry'
  /** The order itself is not acceptable; nothing is learned about its bytes. */
  | 'order';

/** An order that is not followed, and why. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly stage: ApplyStage;
  readonly code: ProblemCode;
  readonly unit: string | null;
  readonly digest: string | null;

  constructor(stage: ApplyStage, error: ProblemError, unit?: { name: string; digest: string }) {
    super(error.message, { cause: error });
    this.stage = stage;
    this.code = error.code;
    this.unit = unit?.name ?? null;
    this.digest = unit?.digest ?? null;
  }
}

const verdicts: Readonly<Partial<Record<ProblemCode, Verdict>>> = {
  'engine.check-failed': 'final',
  'config.invalid': 'final',
  'engine.crash-loop': 'final',
  'trial.start-failed': 'strike',
  'apply.failed': 'strike',
  'apply.refused': 'strike',
  'manifest.stale': 'order',
  'manifest.invalid': 'order',
};

/** Words of an engine about a machine that has nothing left to give; even its check says these. */
const exhausted =
  /too many open files|no space left|read-only file system|cannot allocate|out of memory|resource temporarily unavailable/i;
/** Words of an engine about the machine or the network, not about its configuration. */
const surroundings =
  /address already in use|address not available|permission denied|operation not permitted|not ready after|initial rule-set|no such host|timeout|timed out|connection re(?:fused|set)|unreachable|context canceled|it ended/i;

/** Pure: what one failure means. */
export function judge(code: ProblemCode, message: string): Verdict {
  const verdict = verdicts[code] ?? 'retry';
  if ((verdict === 'strike' || code === 'engine.check-failed') && exhausted.test(message)) return 'retry';
  return verdict === 'strike' && surroundings.test(message) ? 'retry' : verdict;
}

/** Any failure as a refusal at a stage; the disk's own errors get their code. */
export function toRefusal(error: unknown, stage: ApplyStage, unit?: { name: string; digest: string }): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ProblemError) return new Refusal(stage, error, unit);
  const code = isDiskProblem(error) ? 'disk.full' : 'internal.error';
  return new Refusal(stage, new ProblemError(code, messageOf(error), { cause: error }), unit);
}
