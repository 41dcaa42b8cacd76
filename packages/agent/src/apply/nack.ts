import { isoTime } from '@sbox/core';
import type { Nack } from '@sbox/protocol';
import { shownMessage, type Failure } from './decide/failure.ts';

export interface NackFacts {
  readonly version: { readonly epoch: number; readonly generation: number };
  readonly refusal: Failure;
  /** Only other bytes can help. */
  readonly sticky: boolean;
  /** Wall clock. */
  readonly now: number;
  /** Until it is tried again; infinite when it is not. */
  readonly waitMs: number;
}

/** A refusal as others see it: no secrets, no more text than the wire takes. */
export function makeNack({ version, refusal, sticky, now, waitMs }: NackFacts): Nack {
  const { epoch, generation } = version;
  const { code, stage, unit, digest } = refusal;
  const message = shownMessage(refusal.message);
  const retry_at = sticky || !Number.isFinite(waitMs) ? null : isoTime(now + waitMs);
  return { epoch, generation, digest, stage, code, unit, message, sticky, at: isoTime(now), retry_at };
}
