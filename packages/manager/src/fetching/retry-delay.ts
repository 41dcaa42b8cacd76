const baseMs = 500;
const mostMs = 5000;

/** Full jitter, doubling with each try; never less than the server asks for in Retry-After (seconds or a date). */
export function retryDelayMs(tries: number, retryAfter: unknown, nowMs: number, random: () => number): number {
  const jitterMs = random() * Math.min(mostMs, baseMs * 2 ** tries);
  return Math.max(jitterMs, retryAfterMs(retryAfter, nowMs));
}

function retryAfterMs(value: unknown, nowMs: number): number {
  if (typeof value !== 'string') return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? 0 : at - nowMs;
}
