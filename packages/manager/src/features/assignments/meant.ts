import { matchesSelector, parseSelector, type Labels } from '@sbox/protocol';

/** Where a server stands, or one that is still to join. */
export interface Place {
  readonly name: string;
  readonly labels: Labels;
  readonly environment: string | null;
}

/** What an assignment asks of a server. */
export interface Rule {
  readonly name: string;
  readonly selector: string;
  /** Null: of any environment, and of none. */
  readonly environment: string | null;
  readonly unit: string;
}

/** Two rules that mean the same unit of the same servers. */
export interface Conflict {
  readonly unit: string;
  readonly rules: readonly [string, string];
  readonly places: readonly string[];
}

/** Says of places whether a rule means them. */
export function createMeaning({ selector, environment }: Omit<Rule, 'name' | 'unit'>): (place: Place) => boolean {
  const conditions = parseSelector(selector);
  return (place) =>
    (environment === null || environment === place.environment) && matchesSelector(conditions, place.labels);
}

/** The first pair of rules that cannot both hold, with every place where they meet. */
export function findConflict(rules: readonly Rule[], places: readonly Place[]): Conflict | undefined {
  const byUnit = Map.groupBy(
    rules.map((rule) => ({ ...rule, means: createMeaning(rule) })),
    ({ unit }) => unit,
  );
  for (const [unit, some] of byUnit) {
    if (some.length < 2) continue;
    for (const place of places) {
      const [first, second] = some.filter(({ means }) => means(place));
      if (!first || !second) continue;
      const met = places.filter((other) => first.means(other) && second.means(other));
      return { unit, rules: [first.name, second.name], places: met.map(({ name }) => name) };
    }
  }
  return undefined;
}
