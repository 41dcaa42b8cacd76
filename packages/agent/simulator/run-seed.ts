import { createPrng } from './prng.ts';
import { lookAtEnd } from './converge.ts';
import type { Violation } from './invariants.ts';
import { quietly } from './quietly.ts';
import { healAll, steps } from './steps.ts';
import { World } from './world.ts';

export interface SeedResult {
  readonly seed: number;
  readonly steps: number;
  readonly violations: readonly Violation[];
  /** One line for each thing that happened; empty unless it was asked for. */
  readonly trace: readonly string[];
}

/** Days of a server in a moment: faults in any order, then none any more, and then all must be well. */
export const runSeed = async (seed: number, isTraced = false): Promise<SeedResult> =>
  await quietly(isTraced, async () => await live(seed, isTraced));

async function live(seed: number, isTraced: boolean): Promise<SeedResult> {
  const random = createPrng(seed);
  using world = new World(random, { isTraced, longestConnectionMs: random.chance(0.2) ? 20 * 60_000 : 60_000 });
  world.redirects.isThere = random.chance(0.6);
  const count = random.chance(0.08) ? random.int(60, 200) : random.int(30, 50);
  let done = 0;
  try {
    world.startAgent();
    await world.pass(1000);
    for (; done < count && world.invariants.violations.length === 0; done += 1) {
      const step = random.weighted(steps);
      world.note(`- ${step.name}`);
      await step.happen(world);
      await world.pass(random.chance(0.5) ? random.int(0, 3000) : 0);
    }
    healAll(world);
    if (world.invariants.violations.length === 0) await lookAtEnd(world);
  } catch (error) {
    world.invariants.fail('I0', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return { seed, steps: done, violations: world.invariants.violations, trace: world.trace };
}

/** What to print about a seed that fails, and how to see it again. */
export const describeSeed = ({ seed, violations, trace }: SeedResult): string =>
  [
    `seed ${seed}`,
    ...violations.map(({ invariant, words, atMs }) => `${invariant} at ${atMs / 1000} s: ${words}`),
    ...trace.slice(-120),
    `again: ./scripts/bench sim --from ${seed} --seeds 1 --trace`,
  ].join('\n');
