import type { UnexpectedEnd } from '../../supervisor/unit.ts';
import type { OrderData } from './order-data.ts';
import type { Results, Work } from './effect.ts';
import type { Failure } from './failure.ts';

/** The one answer to a piece of work. */
export type Answer =
  | { readonly type: 'done'; readonly of: Work['do']; readonly result: Results[keyof Results] | null }
  | { readonly type: 'failed'; readonly failure: Failure };

/** Whatever happens to the agent. */
export type ApplyEvent =
  | Answer
  | { readonly type: 'boot' }
  | { readonly type: 'offer'; readonly order: OrderData }
  /** An engine ended though nobody asked it to. */
  | { readonly type: 'ended'; readonly end: UnexpectedEnd }
  | { readonly type: 'rollback' }
  /** The hold file was removed: not to be noticed only when it is looked at the next time. */
  | { readonly type: 'released' }
  | { readonly type: 'confirm' };

export const isResultOf = (answer: Answer, of: Work['do']): boolean => answer.type === 'done' && answer.of === of;

/** What was answered to work of this kind; the shell answers nothing else. */
export function resultOf<K extends keyof Results>(answer: Answer, of: K): Results[K] {
  if (answer.type !== 'done' || answer.of !== of || answer.result === null)
    throw new TypeError(`an answer to ${of} was expected`);
  return answer.result as Results[K];
}
