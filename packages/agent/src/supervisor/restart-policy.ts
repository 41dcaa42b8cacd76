/** How fast an engine that ends by itself is started again. */
export interface RestartSettings {
  readonly base_ms: number;
  readonly cap_ms: number;
  /** So many exits inside the window are a crash loop. */
  readonly burst: number;
  readonly window_ms: number;
  /** Up for so long: everything is forgotten. */
  readonly stable_ms: number;
  /** Between two starts in a crash loop. */
  readonly pace_min_ms: number;
  readonly pace_max_ms: number;
}

export const restartDefaults: RestartSettings = {
  base_ms: 500,
  cap_ms: 60_000,
  burst: 5,
  window_ms: 120_000,
  stable_ms: 60_000,
  pace_min_ms: 60_000,
  pace_max_ms: 300_000,
};

export interface RestartState {
  /** Times of unexpected exits since the last stable time, monotonic milliseconds, the newest last. */
  readonly exits: readonly number[];
  /** Exits in a row without a stable time between. */
  readonly streak: number;
  /** Exits since the crash loop began; 0 outside of one. */
  readonly paced: number;
}

export const freshRestartState: RestartState = { exits: [], streak: 0, paced: 0 };

export interface RestartDecision {
  readonly state: RestartState;
  readonly delayMs: number;
  readonly isCrashLoop: boolean;
}

export interface UnexpectedExit {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly uptimeMs: number;
  /** From 0 to 1. */
  readonly random: number;
}

/** The pace in a crash loop is drawn from 100 to 120 %, so that a fleet does not start in step. */
const paceJitter = 0.2;

/** Pure. Full jitter below the crash loop, so that a fleet whose engines die together does not come back together. */
export function decideRestart(state: RestartState, exit: UnexpectedExit, settings: RestartSettings): RestartDecision {
  const { burst, window_ms, base_ms, cap_ms, pace_min_ms, pace_max_ms } = settings;
  const before = exit.uptimeMs >= settings.stable_ms ? freshRestartState : state;
  const streak = before.streak + 1;
  const exits = [...before.exits.filter((at) => exit.at - at < window_ms), exit.at].slice(-burst);
  // In a crash loop exits are too far apart for the window; only a stable time ends it.
  const isCrashLoop = before.paced > 0 || exits.length >= burst;
  if (isCrashLoop) {
    const pace = Math.min(pace_max_ms / (1 + paceJitter), pace_min_ms * 2 ** before.paced);
    const delayMs = Math.round(pace * (1 + paceJitter * exit.random));
    return { state: { exits, streak, paced: before.paced + 1 }, delayMs, isCrashLoop };
  }
  const ceiling = Math.min(cap_ms, base_ms * 2 ** (streak - 1));
  return { state: { exits, streak, paced: 0 }, delayMs: Math.round(ceiling * exit.random), isCrashLoop };
}
