import { expect, test, describe } from '@jest/globals';
import { makeOrder, watchMs } from '../../../test/reducer-orders.ts';
import { failureOf, openWorld, testSettings, type ReducerWorld } from '../../../test/reducer-rig.ts';

const second = (): ReducerWorld =>
  openWorld()
    .offer(makeOrder(2))
    .settle()
    .pass(watchMs + testSettings.watch_every_ms);
const goodOf = ({ state }: ReducerWorld): number | undefined => state.journal.committed.at(-1)?.version.generation;

describe('a hold', () => {
  test('that is put up while an order is fetched and tried keeps it from taking over', () => {
    const world = openWorld().offer(makeOrder(2)).answerUntil('stage');
    world.hold = { reason: 'maintenance', until: null };
    world.settle();
    expect(world.running['edge']).toMatch(/^1\.1-/);
    expect(world.names).not.toContain('SWITCHED');
    expect(world.state).toMatchObject({ held: { reason: 'maintenance', order: { key: 'key-2' } }, following: null });
    world.hold = null;
    world.pass(testSettings.care_every_ms);
    expect(world.running['edge']).toMatch(/^1\.2-/);
    expect(world.state.held).toBeNull();
  });
});

describe('a rollback by hand', () => {
  test('goes back, holds, and is ended by something newer', () => {
    const world = second();
    world.dispatch({ type: 'rollback' });
    world.wake().settle();
    expect(world.notes.at(-1)).toMatchObject({ do: 'answer-rollback', version: { generation: 1 }, problem: null });
    expect(world.state).toMatchObject({ held: { reason: expect.stringContaining('by hand') }, watched: null });
    expect(goodOf(world)).toBe(1);
    world.offer(makeOrder(2)).settle();
    expect(world.running['edge']).toMatch(/^1\.1-/);
    world.offer(makeOrder(3)).settle();
    expect(world.state).toMatchObject({ held: null, watched: { version: { generation: 3 } } });
    expect(world.hold).toBeNull();
  });

  test.each([
    ['there is no other version', () => openWorld(), {}],
    ['its files are gone', second, { 'find-files': failureOf('internal.error') }],
  ])('is refused when %s', (_, open, fates) => {
    const world = open();
    world.dispatch({ type: 'rollback' });
    world.wake().settle(fates);
    expect(world.notes.at(-1)).toMatchObject({ do: 'answer-rollback', problem: { code: 'history.empty' } });
    expect(world.state).toMatchObject({ held: null, isRollbackAsked: false });
  });

  test('that is asked for while all is made ready still comes to what was good', () => {
    const world = second().offer(makeOrder(3));
    world.answerUntil('stage').dispatch({ type: 'rollback' });
    world.settle({ stage: failureOf('blob.fetch-failed') });
    expect(world.running['edge']).toMatch(/^1\.1-/);
    expect(world.state).toMatchObject({ watched: null, following: null, backlog: { waiting: null, retry: null } });
  });

  test('is asked for once at a time', () => {
    const world = second();
    world.dispatch({ type: 'rollback' });
    const effects = world.dispatch({ type: 'rollback' });
    expect(effects).toMatchObject([{ do: 'answer-rollback', problem: { code: 'precondition.failed' } }]);
  });
});

describe('what has to be confirmed', () => {
  const windowMs = 60_000;
  const untried = (): ReducerWorld => {
    const world = openWorld();
    world.isTriable = false;
    return world.offer(makeOrder(2)).settle();
  };
  const asked = (): ReducerWorld =>
    openWorld()
      .offer(makeOrder(2, { confirm_ms: windowMs }))
      .settle();

  const endOf = (world: ReducerWorld): string => {
    world.pass(2 * testSettings.confirm_ms);
    return goodOf(world) === 2 ? 'committed' : (world.state.nack?.code ?? 'open');
  };

  test.each<[string, () => ReducerWorld, Partial<ReducerWorld>, string]>([
    ['asked for, no manager', asked, { isManagerReachable: null }, 'apply.unconfirmed'],
    ['asked for, the manager is away', asked, { isManagerReachable: false }, 'apply.unconfirmed'],
    ['asked for, the manager answers', asked, { isManagerReachable: true }, 'committed'],
    ['no trial was possible, no manager', untried, { isManagerReachable: null }, 'committed'],
    ['no trial was possible, the manager is away', untried, { isManagerReachable: false }, 'apply.unconfirmed'],
    ['no trial was possible, the manager answers', untried, { isManagerReachable: true }, 'committed'],
    [
      'the line is down when the window ends',
      untried,
      { isManagerReachable: true, isProved: false, isFallbackBetter: false, isUplinkDown: true },
      'apply.unconfirmed',
    ],
  ])('%s', (_, open, facts, end) => {
    const world = Object.assign(open(), facts);
    expect(world.state.watched?.confirm).not.toBeNull();
    expect(endOf(world)).toBe(end);
  });

  test('waits until the end of its window, unless somebody speaks for it', () => {
    const world = asked();
    world.isManagerReachable = true;
    world.pass(windowMs - 1);
    expect(goodOf(world)).toBe(1);
    const other = asked();
    other.pass(1000);
    other.dispatch({ type: 'confirm' });
    other.wake().settle();
    expect(other.notes.at(-1)).toMatchObject({ do: 'log' });
    expect(other.notes).toContainEqual({ do: 'answer-confirm', problem: null });
    expect(goodOf(other)).toBe(1);
    other.pass(watchMs);
    expect(goodOf(other)).toBe(2);
  });

  test('is not there where nothing waits for it', () => {
    const world = openWorld();
    expect(world.dispatch({ type: 'confirm' })).toMatchObject([
      { do: 'answer-confirm', problem: { code: 'confirm.nothing-pending' } },
    ]);
  });

  test('is not there for the very first version, nor where it is switched off', () => {
    expect(
      openWorld(null)
        .offer(makeOrder(1, { confirm_ms: 5 }))
        .settle().state.watched?.confirm,
    ).toBeNull();
    const world = openWorld();
    world.isTriable = false;
    world.state = { ...world.state, settings: { ...testSettings, confirm_ms: 0 } };
    expect(world.offer(makeOrder(2)).settle().state.watched?.confirm).toBeNull();
  });

  test('is not tried again by itself, also after a restart; a newer deployment is', () => {
    const world = asked().pass(windowMs);
    expect(world.state.nack).toMatchObject({ code: 'apply.unconfirmed', sticky: true, retry_at: null });
    expect(world.strikes.size).toBe(0);
    world.done = [];
    world.pass(10_000_000);
    world.restart().settle();
    world.offer(makeOrder(2, { confirm_ms: windowMs })).settle();
    expect(world.names).not.toContain('stage');
    expect(world.state.nack).toMatchObject({ code: 'apply.unconfirmed', stage: 'verify' });
    world.offer(makeOrder(3, { units: { edge: 'c2' } })).settle();
    expect(world.state.watched).toMatchObject({ version: { generation: 3 } });
  });

  test('is still there after a restart of the agent, with what is left of the window', () => {
    const world = asked().pass(10_000).restart().settle();
    expect(world.state.watched).toMatchObject({ version: { generation: 2 }, confirm: { is_asked: true } });
    expect((world.state.watched?.confirm?.deadline ?? 0) - world.monotonic).toBe(windowMs - 10_000);
    expect(endOf(world)).toBe('apply.unconfirmed');
  });

  test('that was confirmed before a restart stays confirmed', () => {
    const world = asked();
    world.dispatch({ type: 'confirm' });
    world.wake().settle().restart().settle();
    expect(endOf(world)).toBe('committed');
  });

  test('a clock that jumps neither ends the window nor lengthens it', () => {
    for (const jump of [-86_400_000, 86_400_000]) {
      const world = asked();
      world.now += jump;
      world.restart().settle();
      const left = (world.state.watched?.confirm?.deadline ?? 0) - world.monotonic;
      expect(left).toBe(jump < 0 ? windowMs : 30_000);
    }
  });

  test('goes when the machine goes down before: somebody asked for that', () => {
    const world = asked().reboot().settle();
    expect(world.state.nack).toMatchObject({ code: 'apply.unconfirmed', generation: 2 });
    expect(goodOf(world)).toBe(1);
    expect(world.running['edge']).toMatch(/^1\.1-/);
  });

  test('is what served when it was confirmed, and not what came after it', () => {
    const world = asked();
    world.dispatch({ type: 'confirm' });
    world.crash('edge');
    world.settle();
    expect(world.notes).toContainEqual({ do: 'answer-confirm', problem: null });
    const other = asked().offer(makeOrder(3, { confirm_ms: windowMs }));
    other.answer();
    other.dispatch({ type: 'confirm' });
    expect(other.notes.at(-1)).toMatchObject({ problem: { code: 'confirm.nothing-pending' } });
  });
});
