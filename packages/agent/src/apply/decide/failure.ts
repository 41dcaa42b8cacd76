import { redactText, type ProblemCode } from '@sbox/core';
import type { applyStages } from '@sbox/protocol';

export type ApplyStage = (typeof applyStages)[number];

/** Why an order was not followed or a version is taken back, as data. */
export interface Failure {
  readonly stage: ApplyStage;
  readonly code: ProblemCode;
  readonly message: string;
  readonly unit: string | null;
  readonly digest: string | null;
  /** It befell what runs just as well, or the line of this machine: nobody is to blame. */
  readonly isShared: boolean;
}

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

const verdicts: Readonly<Partial<Record<ProblemCode, Verdict>>> = {
  'engine.check-failed': 'final',
  'config.invalid': 'final',
  'engine.crash-loop': 'final',
  'trial.start-failed': 'strike',
  'apply.failed': 'strike',
  'apply.refused': 'strike',
  'apply.unconfirmed': 'order',
  'manifest.stale': 'order',
  'manifest.invalid': 'order',
};

/** Words of an engine about a machine that has nothing left to give; even its check says these. */
const exhausted =
  /too many open files|no space left|read-only file system|cannot allocate|out of memory|resource temporarily unavailable/i;
/** Words of an engine about the machine or the network, not about its configuration. */
const surroundings =
  /address already in use|address not available|permission denied|operation not permitted|not ready after|initial rule-set|no such host|timeout|timed out|connection re(?:fused|set)|unreachable|context canceled|it ended/i;

/** What one failure means. */
export function judge(code: ProblemCode, message: string): Verdict {
  const verdict = verdicts[code] ?? 'retry';
  if ((verdict === 'strike' || code === 'engine.check-failed') && exhausted.test(message)) return 'retry';
  return verdict === 'strike' && surroundings.test(message) ? 'retry' : verdict;
}

/** Numbers such as ports and pids change from try to try. */
const comparable = (message: string): string => message.replaceAll(/\d+/g, '#');

export interface EarlierStrike {
  readonly code: ProblemCode;
  readonly message: string;
  readonly isFinal: boolean;
}

/** Whether these bytes are never to be tried again, after this failure and the one before. */
export function isFinalStrike({ code, message }: Failure, before: EarlierStrike | null): boolean {
  const isRepeated = before?.code === code && comparable(before.message) === comparable(message);
  return judge(code, message) === 'final' || isRepeated || before?.isFinal === true;
}

const maxMessageChars = 2048;

/** Words as others may see them: no secrets, no more of them than the wire takes. */
export const shownMessage = (message: string): string => redactText(message).slice(0, maxMessageChars);
