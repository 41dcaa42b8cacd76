// Whatever happens in whatever order: what an agent promises holds, and when the faults stop it comes to where it should be.
import { compareGenerations } from '@sbox/core';
import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { makeOrder, watchMs } from '../../../test/reducer-orders.ts';
import { failureOf, ReducerWorld, type Fate } from '../../../test/reducer-rig.ts';
import { isSameContent, isSameVersion, unconfirmedCode } from '../../state/journal-replay.ts';
import { goodOf } from './apply-state.ts';
import type { Work } from './effect.ts';
import { engineFor } from './follow-steps.ts';
import type { OrderData } from './order-data.ts';
import { versionOfOrder } from './version.ts';

/** How each kind of work may end; those that are not here never fail, because what does them catches everything. */
const fates: Readonly<Partial<Record<Work['do'], readonly Fate[]>>> = {
  survey: [failureOf('disk.full')],
  record: [failureOf('disk.full'), failureOf('internal.error')],
  accept: [failureOf('disk.full')],
  renew: [failureOf('disk.full')],
  stage: (
    ['blob.fetch-failed', 'engine.check-failed', 'trial.start-failed', 'trial.probe-failed', 'disk.full'] as const
  ).map((code) => failureOf(code)),
  'check-ports': [failureOf('unit.port-in-use')],
  stop: [failureOf('unit.failed')],
  switch: (['apply.failed', 'apply.refused', 'apply.probe-failed'] as const).map((code) => failureOf(code)),
  verify: [failureOf('apply.probe-failed'), failureOf('apply.failed')],
  mark: [failureOf('disk.full')],
  tidy: [failureOf('disk.full')],
  'find-strike': [failureOf('engine.not-found')],
  quarantine: [failureOf('disk.full')],
  'put-hold': [failureOf('disk.full')],
  'release-hold': [failureOf('disk.full')],
  'find-files': [failureOf('internal.error')],
  care: [failureOf('unit.failed')],
};

const orders = fc
  .record({
    generation: fc.integer({ min: 1, max: 6 }),
    content: fc.constantFrom('x', 'y', 'z'),
    names: fc.constantFrom(['edge'], ['edge', 'other'], ['other'], []),
    isLocal: fc.boolean(),
    confirm_ms: fc.constantFrom(undefined, undefined, 60_000),
    trial: fc.boolean(),
  })
  .map(({ generation, content, names, isLocal, confirm_ms, trial }): OrderData => {
    const units = Object.fromEntries(names.map((name) => [name, `${name}-${content}`]));
    const terms = confirm_ms === undefined ? {} : { confirm_ms };
    // A file of this machine has no generation.
    const local = isLocal && generation > 4;
    return makeOrder(local ? 0 : generation, { units, unit: { trial }, source: local ? 'local' : 'manager', ...terms });
  });

interface Command {
  /** What a failing run prints. */
  readonly name: string;
  readonly run: (world: ReducerWorld) => void;
}

const facts = fc.record(
  {
    isProved: fc.boolean(),
    isFallbackBetter: fc.boolean(),
    isUplinkDown: fc.boolean(),
    isTriable: fc.boolean(),
    isManagerReachable: fc.constantFrom(null, true, false),
    engine: fc.constantFrom('sing-box 1.13.0', 'sing-box 1.14.4'),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
    hold: fc.constantFrom(null, { reason: 'by hand', until: null }),
  },
  { requiredKeys: [] },
);

const wayOf = ({ source, manifest }: OrderData): string =>
  `offer ${source} ${manifest.generation} ${manifest.units.map(({ config }) => config.digest).join(' ')} ${manifest.confirm_ms ?? ''}`;

const happenings: readonly (readonly [weight: number, fc.Arbitrary<Command>])[] = [
  [4, orders.map((order) => ({ name: wayOf(order), run: (world) => void world.offer(order) }))],
  [
    4,
    fc.constantFrom(1, 2000, 10_000, 61_000, 1_000_000).map((ms) => ({
      name: `${ms} ms later`,
      run(world) {
        world.advance(ms);
        world.wake();
      },
    })),
  ],
  [2, facts.map((some) => ({ name: JSON.stringify(some), run: (world) => void Object.assign(world, some) }))],
  [
    2,
    fc
      .boolean()
      .map((isLoop) => ({ name: `crash, loop: ${isLoop}`, run: (world) => void world.crash('edge', isLoop) })),
  ],
  [
    2,
    fc.constantFrom('rollback' as const, 'confirm' as const).map((type) => ({
      name: type,
      run(world) {
        world.dispatch({ type });
        world.wake();
      },
    })),
  ],
  [
    1,
    fc
      .constantFrom('restart' as const, 'reboot' as const)
      .map((name) => ({ name, run: (world) => void world[name]() })),
  ],
];
const command = fc.oneof(...happenings.map(([weight, arbitrary]) => ({ weight, arbitrary })));

/** What happens, and how the pieces of work after it end: mostly well. */
const story = fc.array(fc.tuple(command, fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 25 })), {
  maxLength: 40,
});

/** Looks at everything that the reducer wants done, before it is done. */
function guard(world: ReducerWorld): void {
  let healthySince = 0;
  let [wasReached, wasConfirmed] = [false, false];
  world.onReduce = (event, effects) => {
    if (event.type === 'boot') healthySince = world.monotonic;
    if (event.type === 'done') {
      const work = world.done.at(-1);
      const isMoved = work?.do === 'switch' || work?.do === 'restore';
      if (isMoved || (work?.do === 'look' && !world.isProved)) healthySince = world.monotonic;
      if (work?.do === 'look' && world.isManagerReachable === true) wasReached = true;
    }
    for (const effect of effects) {
      if (effect.do === 'answer-confirm' && effect.problem === null) wasConfirmed = true;
      if (effect.do === 'accept' && world.accepted !== null)
        expect(compareGenerations(effect.order.manifest, world.accepted.manifest)).toBeGreaterThan(0);
      if (effect.do === 'stage') expectStageable(world, effect);
      if (effect.do === 'record' && effect.record.step === 'HEALTHY') {
        expectHealthy(world, effect.record, healthySince);
        expectSpokenFor(world, effect.record, wasReached || wasConfirmed);
      }
    }
  };
}

type Recorded = Extract<Work, { do: 'record' }>['record'];

function expectStageable(world: ReducerWorld, { order, unit: name }: Extract<Work, { do: 'stage' }>): void {
  const unit = order.manifest.units.find((each) => each.name === name);
  const { survey } = world.state.following ?? {};
  if (unit === undefined || survey === undefined) throw new Error('staged without being followed');
  const strike = world.strikes.get(`${unit.config.digest} ${engineFor(unit, survey)}`);
  expect(strike?.isFinal ?? false).toBe(false);
  const gone = world.records.filter(({ code, source }) => code === unconfirmedCode && source !== 'local');
  expect(gone.slice(-1).some((record) => isSameVersion(record, versionOfOrder(order)))).toBe(false);
}

/** Nothing is committed that was not seen healthy for all of its watch; the same slots under a new generation were. */
function expectHealthy(world: ReducerWorld, record: Recorded, healthySince: number): void {
  const good = goodOf(world.state);
  if (record.units.length === 0 || (good !== null && isSameContent(good, record))) return;
  expect(world.isProved).toBe(true);
  expect(world.monotonic - healthySince).toBeGreaterThanOrEqual(watchMs);
}

/** What somebody wanted to confirm is not committed by itself where nobody can speak for it. */
function expectSpokenFor(world: ReducerWorld, record: Recorded, isSpokenFor: boolean): void {
  const last = world.records.findLast(
    ({ step, ...other }) => (step === 'SERVING' || step === 'SWITCHED') && isSameContent(other, record),
  );
  if (last?.confirm?.is_asked === true) expect(isSpokenFor).toBe(true);
}

/** At rest, exactly what is good serves, or what is being watched. */
function expectGoodServes(world: ReducerWorld): void {
  const { state } = world;
  expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  expect(JSON.stringify(state).length).toBeLessThan(60_000);
  const serving = state.watched?.version ?? goodOf(state);
  if (serving === null) return;
  expect(world.running).toEqual(Object.fromEntries(serving.units.map(({ name, slot }) => [name, slot])));
}

const isAtRest = ({ pending }: ReducerWorld): boolean => pending?.do === 'wait';

function answerAll(world: ReducerWorld, rolls: readonly number[]): void {
  for (const roll of rolls) {
    if (world.pending === undefined || isAtRest(world)) break;
    const bad = fates[world.pending.do] ?? [];
    world.answer(bad[roll] ?? 'done');
    if (isAtRest(world)) expectGoodServes(world);
  }
}

test('the promises hold', () => {
  fc.assert(
    fc.property(story, (commands) => {
      const world = new ReducerWorld();
      guard(world);
      world.dispatch({ type: 'boot' });
      world.settle();
      for (const [{ run }, rolls] of commands) {
        run(world);
        answerAll(world, rolls);
      }
      expectConvergence(world);
    }),
    { numRuns: 600 },
  );
});

/** The faults stop: whoever asked was answered, and what was accepted runs, or is refused for good, or waits for its time. */
function expectConvergence(world: ReducerWorld): void {
  Object.assign(world, { isProved: true, isManagerReachable: true, isUplinkDown: false, isTriable: true });
  if (world.pending === undefined) world.restart();
  world.settle();
  world.hold = null;
  world.pass(3_600_000);
  const { state } = world;
  expect(state).toMatchObject({
    isRollbackAsked: false,
    confirmAsked: null,
    following: null,
    watched: null,
    held: null,
  });
  expectGoodServes(world);
  const { waiting, retry, refused } = state.backlog;
  expect([waiting, retry]).toEqual([null, null]);
  const good = goodOf(state);
  if (state.accepted === null || good?.source === 'local' || refused !== null || state.nack !== null) return;
  expect(good === null ? null : compareGenerations(good, state.accepted.manifest)).toBe(0);
}
