import { ProblemError } from '@sbox/core';

interface Ordered {
  readonly name: string;
  readonly depends_on?: readonly string[] | undefined;
}

/**
 * Units so that each comes after those it depends on, and else as they are listed; stop them the other way round. Pure.
 * @throws ProblemError `manifest.invalid` for a name that is not there or is there twice, and for a circle
 */
export function orderUnits<T extends Ordered>(units: readonly T[]): T[] {
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const twice = units.find((unit) => byName.get(unit.name) !== unit);
  if (twice !== undefined) throw new ProblemError('manifest.invalid', `there are two units "${twice.name}"`);
  for (const { name, depends_on = [] } of units) {
    const missing = depends_on.find((other) => !byName.has(other));
    if (missing === undefined) continue;
    throw new ProblemError('manifest.invalid', `unit "${name}" depends on "${missing}", which is not there`);
  }
  const ordered: T[] = [];
  const placed = new Set<string>();
  while (ordered.length < units.length) {
    const next = units.find(
      ({ name, depends_on = [] }) => !placed.has(name) && depends_on.every((other) => placed.has(other)),
    );
    if (next === undefined) throw new ProblemError('manifest.invalid', circleOf(units, placed));
    ordered.push(next);
    placed.add(next.name);
  }
  return ordered;
}

/** The units that have to wait while these do not run: all that depend on one of them, however many steps away. */
export function dependantsOf(units: readonly Ordered[], failed: Iterable<string>): Set<string> {
  const down = new Set(failed);
  const waiting = new Set<string>();
  let known = -1;
  while (waiting.size !== known) {
    known = waiting.size;
    for (const { name, depends_on = [] } of units) {
      if (depends_on.some((other) => down.has(other) || waiting.has(other))) waiting.add(name);
    }
  }
  for (const name of down) waiting.delete(name);
  return waiting;
}

/** The first of these that does not run and that a unit depends on, however many steps away. */
export function findHolder(
  others: readonly (Ordered & { readonly isRunning: boolean })[],
  unit: Ordered,
): string | undefined {
  const all = [...others.filter(({ name }) => name !== unit.name), unit];
  return others.find(({ name, isRunning }) => !isRunning && dependantsOf(all, [name]).has(unit.name))?.name;
}

/** Each unit that is left waits for another that is left, so that walking from one to the next ends where it was before. */
function circleOf(units: readonly Ordered[], placed: ReadonlySet<string>): string {
  const left = new Map(units.flatMap((unit) => (placed.has(unit.name) ? [] : [[unit.name, unit]])));
  const walk: string[] = [];
  let name = left.keys().next().value;
  while (name !== undefined && !walk.includes(name)) {
    walk.push(name);
    name = left.get(name)?.depends_on?.find((other) => left.has(other));
  }
  const circle = [...walk.slice(walk.indexOf(name ?? '')), name];
  return `units depend on each other in a circle: ${circle.join(' -> ')}`;
}
