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
  /** Times of unexpected exits, monotonic milliseconds, the newest last. */
  readonly exits: readonly number[];
  /** Exits in a row without a stable time between. */
  readonly streak: number;
}

export const freshRestartState: RestartState = { exits: [], streak: 0 };

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

/** Pure. Full jitter below the crash loop, so that a fleet whose engines die together does not come back together. */
export function decideRestart(state: RestartState, exit: UnexpectedExit, settings: RestartSettings): RestartDecision {
  const wasStable = exit.uptimeMs >= settings.stable_ms;
  const streak = wasStable ? 1 : state.streak + 1;
  const exits = [...state.exits.filter((at) => exit.at - at < settings.window_ms), exit.at].slice(-settings.burst);
  const next = { exits, streak };
  // In the paced state exits are too far apart for the window; only a stable time ends a crash loop.
  const isCrashLoop = exits.length >= settings.burst || streak > settings.burst;
  if (isCrashLoop) {
    const grown = settings.pace_min_ms * 2 ** Math.max(0, streak - settings.burst) * (1 + 0.2 * exit.random);
    const delayMs = Math.round(Math.min(settings.pace_max_ms, grown));
    return { state: next, delayMs, isCrashLoop };
  }
  const ceiling = Math.min(settings.cap_ms, settings.base_ms * 2 ** (streak - 1));
  return { state: next, delayMs: Math.round(ceiling * exit.random), isCrashLoop };
}
