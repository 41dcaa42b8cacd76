import { expect, test, describe } from '@jest/globals';
import { makeOrder, watchMs } from '../../../test/reducer-orders.ts';
import { openWorld, testSettings, type ReducerWorld } from '../../../test/reducer-rig.ts';

const watching = (): ReducerWorld => openWorld().offer(makeOrder(2)).settle();
const generationOf = ({ state }: ReducerWorld): number | undefined =>
  (state.watched?.version ?? state.journal.committed.at(-1)?.version)?.generation;
const count = ({ done }: ReducerWorld, kind: string): number => done.filter((work) => work.do === kind).length;

describe('during the watch', () => {
  test('an engine that ends takes the version back at once', () => {
    const world = watching().crash('edge').settle();
    expect(world.state).toMatchObject({ watched: null, nack: { code: 'apply.failed', stage: 'watch', generation: 2 } });
    expect(generationOf(world)).toBe(1);
    expect(world.running['edge']).toMatch(/^1\.1-/);
  });

  test('looks that fail one after another take it back where the version before is better', () => {
    const world = watching();
    world.isProved = false;
    world.pass(3 * testSettings.watch_every_ms - 1);
    expect(generationOf(world)).toBe(2);
    world.pass(1);
    expect(world.state.nack).toMatchObject({ code: 'apply.probe-failed', sticky: false });
    expect(generationOf(world)).toBe(1);
  });

  test('one that fails and recovers again and again is taken back where the version before is better', () => {
    const world = watching();
    const flap = (): void => {
      world.isProved = !world.isProved;
      world.pass(testSettings.watch_every_ms);
    };
    for (let look = 0; look < 10; look += 1) flap();
    expect(generationOf(world)).toBe(2);
    expect(count(world, 'compare')).toBe(0);
    flap();
    expect(world.state.nack).toMatchObject({ code: 'apply.probe-failed', sticky: false });
    expect(generationOf(world)).toBe(1);
  });

  test('an outage that the version before shares is waited for, and blames nobody', () => {
    const world = watching();
    Object.assign(world, { isProved: false, isFallbackBetter: false, isUplinkDown: true });
    world.pass(600_000);
    expect(generationOf(world)).toBe(2);
    expect(world.state).toMatchObject({ nack: null, backlog: { retry: null, refused: null } });
    expect(count(world, 'restore') + count(world, 'quarantine') + count(world, 'find-strike')).toBe(0);
    expect(count(world, 'compare')).toBeLessThan(15);
    world.isProved = true;
    world.pass(testSettings.watch_every_ms + watchMs - 1);
    expect(world.state.watched).not.toBeNull();
    world.pass(testSettings.watch_every_ms);
    expect(world.state).toMatchObject({ watched: null, journal: { committed: [{}, { version: { generation: 2 } }] } });
  });

  test('without anything to go back to it goes on, and is looked at again', () => {
    const world = openWorld(null).offer(makeOrder(1)).settle().crash('edge').settle();
    expect(world.state).toMatchObject({
      nack: { code: 'apply.failed', sticky: false },
      watched: { version: { generation: 1 } },
    });
    world.pass(5000 + watchMs + testSettings.watch_every_ms);
    expect(world.state).toMatchObject({ nack: null, journal: { committed: [{}] } });
  });
});

describe('after the commit', () => {
  const committed = (): ReducerWorld => watching().pass(watchMs + testSettings.watch_every_ms);

  test('a crash loop brings the version before back, and its bytes are not tried again', () => {
    const world = committed().crash('edge', true).settle();
    expect(world.state).toMatchObject({ nack: { code: 'engine.crash-loop', generation: 2, sticky: true } });
    expect(generationOf(world)).toBe(1);
    expect([...world.strikes.values()]).toMatchObject([{ digest: 'sha256:c2', isFinal: true }]);
  });

  test('it does not when the commit is long ago, nor for an end without a loop', () => {
    const old = committed();
    old.advance(testSettings.crash_rollback_ms + 1);
    expect(generationOf(old.crash('edge', true).settle())).toBe(2);
    expect(generationOf(committed().crash('edge').settle())).toBe(2);
  });
});

describe('care', () => {
  test('comes at its pace, whatever is watched', () => {
    const world = openWorld();
    world.pass(10 * testSettings.care_every_ms);
    expect(count(world, 'care')).toBe(10);
  });

  test('sees a hold file come and go', () => {
    const world = openWorld();
    world.hold = { reason: 'maintenance', until: null };
    world.offer(makeOrder(2)).settle();
    expect(world.state).toMatchObject({ held: { reason: 'maintenance' }, following: null });
    expect(count(world, 'stage')).toBe(0);
    world.hold = null;
    world.pass(testSettings.care_every_ms);
    expect(generationOf(world)).toBe(2);
    expect(world.state.held).toBeNull();
  });
});
