import { lookAtEnd } from './converge.ts';
import type { Violation } from './invariants.ts';
import { createPrng } from './prng.ts';
import { quietly } from './quietly.ts';
import type { Wanted } from './sim-manager.ts';
import { healAll } from './steps.ts';
import { stateDir } from './state-dir.ts';
import { World, type Stop } from './world.ts';

type Phase = readonly [name: string, happen: (world: World) => void, ms: number];

const edge = (kind: Wanted['kind']): Wanted => ({ unit: 'edge', kind });
const main: Wanted = { unit: 'main', kind: 'good' };
const publish =
  (wanted: readonly Wanted[], more: Parameters<World['manager']['publish']>[1] = {}) =>
  (world: World): void => {
    world.manager.publish(wanted, more);
    world.deliver();
  };
const hold = `${stateDir}/hold`;

/** What drains is another story. */
const longestConnectionMs = 5000;

/** A server's life with everything in it that is written down. */
const history: readonly Phase[] = [
  ['an empty server comes up', (world) => world.startAgent(), 500],
  ['a first version is committed', publish([edge('good')]), 14_000],
  ['a second one takes over', publish([edge('good')]), 14_000],
  ['two units', publish([edge('good'), main]), 14_000],
  ['one that its check refuses', publish([edge('unchecked'), main]), 2000],
  ['one that does not start', publish([edge('stillborn'), main]), 4000],
  ['one that lets nothing through', publish([edge('pretending'), main]), 25_000],
  ['going back by hand', (world) => world.ask('rollback', async (agent) => await agent.rollback()), 6000],
  ['a newer one ends the hold', publish([edge('good'), main]), 14_000],
  ['held by hand', (world) => world.disk.plant(hold, 'by hand'), 100],
  ['one that waits', publish([edge('good')]), 2000],
  ['no longer held', (world) => world.disk.unplant(hold), 60_000],
  ['one that ends again and again', publish([edge('mortal')]), 30_000],
  ['the manager begins another epoch', ({ manager }) => void (manager.epoch += 1), 0],
  ['its first version', publish([edge('good')]), 14_000],
];

export type CrashVariant = Stop['what'];
export const crashVariants: readonly CrashVariant[] = ['agent', 'dropped', 'kept', 'torn'];

export interface CrashPoint {
  readonly variant: CrashVariant;
  readonly point: number;
}

export interface CrashResult extends CrashPoint {
  /** What was going on. */
  readonly phase: string;
  readonly violations: readonly Violation[];
  readonly trace: readonly string[];
}

/** Lives the history until its end, or until the given step of the disk; in the end all must be well. */
export const runCrashPoint = async (at: CrashPoint, isTraced = false): Promise<CrashResult> =>
  await quietly(isTraced, async () => await liveUntil(at, isTraced));

async function liveUntil({ variant, point }: CrashPoint, isTraced: boolean): Promise<CrashResult> {
  using world = new World(createPrng(point), { isTraced, longestConnectionMs });
  world.stopAt({ after: point - 1, what: variant });
  let phase = '';
  for (const [name, happen, ms] of history) {
    phase = name;
    world.note(`- ${name}`);
    happen(world);
    // In small pieces, because after the stop the history is over.
    for (let passed = 0; passed < ms && world.isStopPlanned; passed += 250) await world.pass(250);
    if (!world.isStopPlanned) break;
  }
  healAll(world);
  await world.pass(35_000);
  if (world.invariants.violations.length === 0) await lookAtEnd(world);
  return { variant, point, phase, violations: world.invariants.violations, trace: world.trace };
}

/** Steps of the disk in the whole history; after each of them everything may end. */
export async function countCrashPoints(): Promise<number> {
  using world = new World(createPrng(1), { longestConnectionMs });
  for (const [, happen, ms] of history) {
    happen(world);
    await world.pass(ms);
  }
  return world.diskSteps;
}

export const describeCrash = ({ variant, point, phase, violations, trace }: CrashResult): string =>
  [
    `${variant} at step ${point} of the disk, while: ${phase}`,
    ...violations.map(({ invariant, words, atMs }) => `${invariant} at ${atMs / 1000} s: ${words}`),
    ...trace.slice(-120),
    `again: ./scripts/bench sim --crash-points --from ${point} --seeds 1 --trace`,
  ].join('\n');
