import { isoTime, redactText } from '@sbox/core';
import type { Nack } from '@sbox/protocol';
import type { Refusal } from './refusal.ts';

export interface NackFacts {
  readonly version: { readonly epoch: number; readonly generation: number };
  readonly refusal: Refusal;
  /** Only other bytes can help. */
  readonly sticky: boolean;
  /** Wall clock. */
  readonly now: number;
  /** Until it is tried again; infinite when it is not. */
  readonly waitMs: number;
}

const maxMessageChars = 2048;

/** A refusal as others see it: no secrets, no more text than the wire takes. */
export function makeNack({ version, refusal, sticky, now, waitMs }: NackFacts): Nack {
  const { epoch, generation } = version;
  const { code, stage, unit, digest } = refusal;
  const message = redactText(refusal.message).slice(0, maxMessageChars);
  const retry_at = sticky || !Number.isFinite(waitMs) ? null : isoTime(now + waitMs);
  return { epoch, generation, digest, stage, code, unit, message, sticky, at: isoTime(now), retry_at };
}
