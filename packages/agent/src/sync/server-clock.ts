import { fromProblem, type Clock } from '@sbox/core';

/** How far this machine's clock is from the manager's. */
export interface ServerClock {
  readonly offsetMs: number;
  /** Takes the time out of an `auth.clock-skew` answer. */
  learn(answerBody: Uint8Array): void;
  /** Takes the time of a good answer, to forget an offset once the clock was set right. */
  note(serverTime: string): void;
  /** Time to sign and to judge expiry with. */
  now(): number;
}

/** More than this is worth a condition; less is noise of the network. */
export const skewLimitMs = 60_000;
const noticeableMs = 1000;

export function createServerClock(clock: Clock): ServerClock {
  let offsetMs = 0;
  const set = (serverTime: unknown): void => {
    const measured = (typeof serverTime === 'string' ? Date.parse(serverTime) : Number.NaN) - clock.now();
    if (Number.isNaN(measured) || Math.abs(measured - offsetMs) <= noticeableMs) return;
    offsetMs = Math.abs(measured) > noticeableMs ? measured : 0;
  };
  return {
    get offsetMs() {
      return offsetMs;
    },
    learn(answerBody) {
      const { code, details } = fromProblem(parse(answerBody), '');
      if (code === 'auth.clock-skew') set(details?.['server_time']);
    },
    note(serverTime) {
      if (offsetMs !== 0) set(serverTime);
    },
    now: () => clock.now() + offsetMs,
  };
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
