/** Whether a version satisfies a range such as `>=1.12 <1.15`: every comparator must hold; an empty range takes all. */
export function isInRange(version: string, range: string): boolean {
  const own = numbersOf(version);
  return range
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .every((comparator) => {
      const [, operator = '', wanted = ''] = /^(>=|<=|>|<|=)?v?(\d+(?:\.\d+)*)$/.exec(comparator) ?? [];
      // A comparator that we cannot read is not satisfied: half an order is worse than none.
      return wanted !== '' && (tests[operator] ?? (() => false))(compare(own, numbersOf(wanted)));
    });
}

const tests: Readonly<Record<string, (sign: number) => boolean>> = {
  '>=': (sign) => sign >= 0,
  '<=': (sign) => sign <= 0,
  '>': (sign) => sign > 0,
  '<': (sign) => sign < 0,
  '=': (sign) => sign === 0,
  '': (sign) => sign === 0,
};

/** `1.14.0-rc.1` counts as 1.14.0. */
const numbersOf = (version: string): number[] => (/\d+(\.\d+)*/.exec(version)?.[0] ?? '0').split('.').map(Number);

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
