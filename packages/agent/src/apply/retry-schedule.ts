/** Waits before a refused order is tried again, in milliseconds; the last one repeats. */
export const retryDefaults: readonly number[] = [60_000, 300_000, 900_000, 3_600_000];

/** `attempt` counts from 1; `random` from 0 to 1 spreads a fleet by 20 % to both sides. */
export function retryDelayMs(attempt: number, random: number, schedule: readonly number[]): number {
  const base = schedule[Math.min(attempt, schedule.length) - 1] ?? 0;
  return Math.round(base * (0.8 + 0.4 * random));
}
