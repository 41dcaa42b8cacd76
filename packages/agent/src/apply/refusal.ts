import { ProblemError, messageOf, type ProblemCode } from '@sbox/core';
import { isDiskProblem } from '../state/disk.ts';
import type { ApplyStage, Failure } from './decide/failure.ts';

export type { ApplyStage } from './decide/failure.ts';

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

/** Any failure as a refusal at a stage; the disk's own errors get their code. */
export function toRefusal(error: unknown, stage: ApplyStage, unit?: { name: string; digest: string }): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ProblemError) return new Refusal(stage, error, unit);
  const code = isDiskProblem(error) ? 'disk.full' : 'internal.error';
  return new Refusal(stage, new ProblemError(code, messageOf(error), { cause: error }), unit);
}

/** A refusal as data. */
export function toFailure(error: unknown, stage: ApplyStage): Failure {
  const { stage: at, code, message, unit, digest, cause } = toRefusal(error, stage);
  const isShared = cause instanceof ProblemError && cause.details?.['shared'] === true;
  return { stage: at, code, message, unit, digest, isShared };
}
