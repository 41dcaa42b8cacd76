import { expect, test } from '@jest/globals';
import { makeOrder } from '../../../test/reducer-orders.ts';
import { failureOf, openWorld, type ReducerWorld } from '../../../test/reducer-rig.ts';

const bootOf = (world: ReducerWorld, how: 'restart' | 'reboot'): ReducerWorld => {
  world.done = [];
  return world[how]().settle();
};
const namesOf = ({ names }: ReducerWorld): string[] => names.filter((name) => name !== 'tidy');

test('without anything, whatever runs is ended', () => {
  const world = bootOf(openWorld(null), 'reboot');
  expect(namesOf(world)).toEqual(['recover', 'stop-others', 'survey']);
  expect(world.notes.at(-1)).toEqual({ do: 'booted', problem: null });
});

test('a committed version is adopted when it runs, and brought back when it does not', () => {
  const world = bootOf(openWorld(), 'restart');
  expect(namesOf(world)).toEqual(['recover', 'adopt', 'stop-others', 'restore', 'survey']);
  expect(world.state.backlog.waiting).toBeNull();
});

test('a version that serves is watched on', () => {
  const world = bootOf(openWorld().offer(makeOrder(2)).settle(), 'restart');
  expect(namesOf(world).slice(0, 4)).toEqual(['recover', 'adopt', 'stop-others', 'keep']);
  expect(world.state.watched).toMatchObject({ version: { generation: 2 } });
});

test('one that was down at a start is tried once more, and then given up', () => {
  const world = bootOf(openWorld().offer(makeOrder(2)).settle(), 'reboot');
  expect(namesOf(world).slice(0, 6)).toEqual(['recover', 'adopt', 'BOOT', 'stop-others', 'restore', 'survey']);
  expect(world.state.watched).toMatchObject({ version: { generation: 2 } });
  bootOf(world, 'reboot');
  expect(namesOf(world).slice(0, 8)).toEqual([
    'recover',
    'adopt',
    'ROLLEDBACK',
    'stop-others',
    'restore',
    'find-strike',
    'quarantine',
    'survey',
  ]);
  expect(world.state).toMatchObject({
    watched: null,
    nack: { code: 'engine.crash-loop', generation: 2, sticky: true },
  });
  expect(world.running['edge']).toMatch(/^1\.1-/);
});

test('one whose take-over never happened is not to blame', () => {
  const world = openWorld().offer(makeOrder(2));
  world.answerUntil('switch');
  bootOf(world, 'restart');
  expect(world.records.filter(({ step }) => step === 'ROLLEDBACK')).toMatchObject([{ code: 'apply.rolled-back' }]);
  // It is accepted, and so it is followed.
  expect(world.state.watched).toMatchObject({ version: { generation: 2 } });
});

test('a second version that was never committed gives way to the first that was not either', () => {
  const world = openWorld(null).offer(makeOrder(1)).settle().offer(makeOrder(2)).settle();
  bootOf(world, 'reboot');
  expect(world.running['edge']).toMatch(/^1\.[12]-/);
  expect(world.state.watched).not.toBeNull();
});

test('what was accepted and not followed is followed without being offered again', () => {
  const world = openWorld().offer(makeOrder(2));
  world.answerUntil('stage');
  bootOf(world, 'restart');
  expect(world.state.watched).toMatchObject({ version: { generation: 2 } });
  expect(world.done.find((work) => work.do === 'stage')).toMatchObject({ order: { key: null } });
});

test('a state directory that cannot be read is said to whoever starts the agent', () => {
  const world = openWorld(null);
  world.restart().settle({ recover: failureOf('disk.full') });
  expect(world.notes.at(-1)).toMatchObject({ do: 'booted', problem: { code: 'disk.full' } });
  expect(world.pending).toBeUndefined();
});
