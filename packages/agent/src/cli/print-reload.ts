import type { DeepReadonly, ReloadPlan } from '@sbox/protocol';
import type { Out } from './out.ts';

/** A table of plans, and below it why nothing gentler was possible. */
export function printPlan(plans: DeepReadonly<readonly ReloadPlan[]>, { table }: Pick<Out, 'table'>): string {
  if (plans.length === 0) return 'nothing would change';
  const rows = plans.map(({ unit, strategy, connections, will_end: ends, message }) => [
    unit,
    strategy,
    countOf(connections),
    countOf(ends),
    message,
  ]);
  const refused = plans.flatMap((plan) => plan.refused.map(({ strategy, why }) => [plan.unit, strategy, why]));
  return [
    table(['UNIT', 'STRATEGY', 'OPEN', 'WILL END', 'WHAT'], rows),
    ...(refused.length > 0 ? ['', table(['UNIT', 'NOT', 'BECAUSE'], refused)] : []),
  ].join('\n');
}

const countOf = (count: number | null): string => (count === null ? '?' : String(count));
