import type { Clock } from '@sbox/core';

/** One run of a program; what has ended does nothing any more, whatever it was in the middle of. */
export interface Life {
  readonly name: string;
  isOver: boolean;
}

interface Sleeper {
  readonly at: number;
  readonly life: Life;
  readonly wake: () => void;
  /** Nobody waits any more. */
  readonly forget: () => void;
}

/** More than this many wakes in one millisecond are a loop that never waits. */
const maxWakesAtOnce = 5000;
const startMs = Date.UTC(2026, 0, 1);

/** Time stands still while anybody still works, then jumps to the next who wakes. */
export class SimTime {
  elapsedMs = 0;
  /** How wrong the wall clock is. */
  skewMs = 0;
  /** Wakes so far. */
  wakes = 0;
  #sleepers: Sleeper[] = [];
  #wakesAtOnce = 0;

  /** The time as one life sees it: after its end no sleep of it is ever over. */
  clock(life: Life): Clock {
    return {
      now: () => startMs + this.elapsedMs + this.skewMs,
      monotonic: () => this.elapsedMs,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (life.isOver) return;
          if (signal?.aborted === true) return reject(signal.reason as Error);
          const abort = (): void => {
            this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
            if (!life.isOver) reject(signal?.reason as Error);
          };
          const forget = (): void => signal?.removeEventListener('abort', abort);
          const wake = (): void => {
            forget();
            resolve();
          };
          const sleeper: Sleeper = { at: this.elapsedMs + Math.max(0, ms), life, wake, forget };
          this.#sleepers.push(sleeper);
          signal?.addEventListener('abort', abort, { once: true });
        }),
    };
  }

  /** Something of the world itself that happens later. */
  after(ms: number, life: Life, happen: () => void): void {
    this.#sleepers.push({ at: this.elapsedMs + ms, life, wake: happen, forget: () => {} });
  }

  /** A life is over; what it waited for would else be kept in memory by the signals that could have ended the wait. */
  end(life: Life): void {
    life.isOver = true;
    for (const sleeper of this.#sleepers) if (sleeper.life === life) sleeper.forget();
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.life !== life);
  }

  /** Lets `ms` go by; `look` is called whenever all that can be done at one moment has been done. */
  async pass(ms: number, look: () => void = () => {}): Promise<void> {
    const target = this.elapsedMs + ms;
    await settle();
    for (;;) {
      look();
      const next = this.#takeNext(target);
      if (next === undefined) break;
      this.#advance(next.at);
      next.wake();
      await settle();
    }
    this.elapsedMs = target;
  }

  #takeNext(target: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (!sleeper.life.isOver && (first === undefined || sleeper.at < first.at)) first = sleeper;
    }
    if (first === undefined || first.at > target) return undefined;
    this.#sleepers = this.#sleepers.filter((other) => other !== first && !other.life.isOver);
    return first;
  }

  #advance(at: number): void {
    this.wakes += 1;
    this.#wakesAtOnce = at - this.elapsedMs < 1 ? this.#wakesAtOnce + 1 : 0;
    if (this.#wakesAtOnce > maxWakesAtOnce) throw new Error(`something loops without waiting at ${this.elapsedMs} ms`);
    this.elapsedMs = Math.max(this.elapsedMs, at);
  }
}

/** All I/O of the world is memory, so that everything that can go on has gone on before the next turn. */
export const settle = async (): Promise<void> => await new Promise((resolve) => void setImmediate(resolve));
