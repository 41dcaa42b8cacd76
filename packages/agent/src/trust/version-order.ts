const numbersOf = (version: string): number[] =>
  (/^v?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? '').split('.').filter(Boolean).map(Number);

/** Whether `version` comes before `least`, number by number; what follows the numbers does not matter. */
export function isOlderVersion(version: string, least: string): boolean {
  const own = numbersOf(version);
  const other = numbersOf(least);
  for (let place = 0; place < Math.max(own.length, other.length); place += 1) {
    const difference = (own[place] ?? 0) - (other[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
