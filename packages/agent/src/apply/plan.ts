import type { ReloadPlan } from '@sbox/protocol';
import type { Order } from '../order.ts';
import { orderUnits } from '../supervisor/unit-order.ts';
import type { ApplyContext } from './context.ts';
import { Refusal } from './refusal.ts';
import { planUnit } from './stage.ts';

/**
 * How each unit would take an order, in the order of the take-over. One plan at a time: each unit has one place to plan in.
 * @throws ProblemError as the order would be refused with
 */
export function createPlanner(
  ctx: ApplyContext,
  signal: AbortSignal,
): (order: Order) => Promise<readonly ReloadPlan[]> {
  let last: Promise<unknown> = Promise.resolve();
  return async (order) => {
    const plan = last.then(async () => await planOrder(ctx, order, signal));
    last = plan.catch(() => {});
    return await plan;
  };
}

async function planOrder(ctx: ApplyContext, order: Order, signal: AbortSignal): Promise<ReloadPlan[]> {
  const plans: ReloadPlan[] = [];
  for (const unit of orderUnits(order.manifest.units))
    plans.push(
      await planUnit(ctx, { order, signal, overtaken: signal }, unit).catch((error: unknown) => {
        throw error instanceof Refusal ? error.cause : error;
      }),
    );
  return plans;
}
