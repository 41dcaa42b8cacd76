import { isoTime, type Clock } from '@sbox/core';

export type SyncTransport = 'none' | 'websocket' | 'long-poll';

/** Whether the manager answers, since when, and what comes next. */
export interface Reachability {
  readonly isReachable: boolean;
  /** Why not; words for people. */
  readonly reason: string;
  /** What the manager answered in place of an order; null while it answers, and when nothing came back at all. */
  readonly refusal: { readonly code: string; readonly detail: string } | null;
  readonly since: string;
  /** How long it has been away, in milliseconds; 0 while it is there. */
  awayMs(): number;
  readonly tries: number;
  readonly nextTryAt: string | null;
  readonly transport: SyncTransport;
  answered(): void;
  failed(reason: string, nextTryMs: number, refusal?: Reachability['refusal']): void;
  use(transport: SyncTransport): void;
  /** Called when it comes or goes, not for every answer. */
  onChange(listener: () => void): Disposable;
}

export function createReachability(clock: Clock): Reachability {
  const listeners = new Set<() => void>();
  let isReachable = false;
  let reason = 'not asked yet';
  let refusal: Reachability['refusal'] = null;
  let since = clock.now();
  let awaySince = clock.monotonic();
  let tries = 0;
  let nextTryAt: string | null = null;
  let transport: SyncTransport = 'none';
  const turn = (to: boolean, why: string): void => {
    const hasChanged = isReachable !== to || (tries === 1 && !to);
    if (isReachable !== to) {
      since = clock.now();
      if (!to) awaySince = clock.monotonic();
    }
    isReachable = to;
    reason = why;
    if (hasChanged) for (const listener of listeners) listener();
  };
  return {
    get isReachable() {
      return isReachable;
    },
    get reason() {
      return reason;
    },
    get refusal() {
      return refusal;
    },
    get since() {
      return isoTime(since);
    },
    awayMs: () => (isReachable ? 0 : clock.monotonic() - awaySince),
    get tries() {
      return tries;
    },
    get nextTryAt() {
      return nextTryAt;
    },
    get transport() {
      return transport;
    },
    answered() {
      tries = 0;
      nextTryAt = null;
      refusal = null;
      turn(true, 'it answers');
    },
    failed(why, nextTryMs, answered = null) {
      refusal = answered;
      tries += 1;
      nextTryAt = isoTime(clock.now() + nextTryMs);
      turn(false, why);
    },
    use(name) {
      transport = name;
    },
    onChange(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}
