const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** So that every duration can be added to a date. */
const longestMs = 36_500 * 86_400_000;

/** Milliseconds of `500ms`, `30s`, `1h30m`, `7d`; undefined when the text is no duration or longer than a hundred years. `0` is 0. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g))
    total += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  return total <= longestMs ? total : undefined;
}

/** Two units at most, the way people write it: `4m12s`, `61ms`, `2d3h`. */
export function printDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 59_500) return `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0).replace(/\.0$/, '')}s`;
  const units = ['d', 'h', 'm', 's'] as const;
  let rest = Math.round(ms / 1000) * 1000;
  const first = units.findIndex((unit) => rest >= (unitMs[unit] ?? 0));
  return units
    .slice(first, first + 2)
    .map((unit) => {
      const size = unitMs[unit] ?? 1;
      const count = Math.floor(rest / size);
      rest -= count * size;
      return count > 0 ? `${count}${unit}` : '';
    })
    .join('');
}
