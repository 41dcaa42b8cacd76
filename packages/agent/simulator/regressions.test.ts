import { digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { expect, test } from '@jest/globals';
import type { ReconcilerState } from '../src/order.ts';
import { createDisk } from '../src/state/disk.ts';
import { createSlots, type LiveSlot } from '../src/state/slots.ts';
import { CrashDisk } from './crash-disk.ts';
import { createPrng } from './prng.ts';
import type { Published, Wanted } from './sim-manager.ts';
import { settle } from './sim-time.ts';
import { World } from './world.ts';

// What the simulator found once, each told so that it does not depend on how chance is used.

const edge = (kind: Wanted['kind'], more: NonNullable<Wanted['more']> = {}): Wanted => ({
  unit: 'edge',
  kind,
  more: { reload: 'auto', trial: true, ...more },
});

interface Scene {
  readonly world: World;
  readonly publish: (wanted: readonly Wanted[], passMs?: number) => Promise<Published>;
  readonly state: () => ReconcilerState;
}

/** A server with one committed version. */
async function open({ isSwapping = false } = {}): Promise<Scene> {
  const world = new World(createPrng(1), { isTraced: true });
  world.redirects.isThere = isSwapping;
  const publish = async (wanted: readonly Wanted[], passMs = 13_000): Promise<Published> => {
    const published = world.manager.publish(wanted);
    world.deliver(published);
    await world.pass(passMs);
    return published;
  };
  world.startAgent();
  await world.pass(100);
  await publish([edge('good')]);
  const state = (): ReconcilerState => {
    if (world.agent === undefined) throw new Error('the agent is not there');
    return world.agent.state;
  };
  expect(state()).toMatchObject({ phase: 'committed', committed: { generation: 1 } });
  return { world, publish, state };
}

const pidOf = (state: ReconcilerState): number | null | undefined => state.units[0]?.pid;

test('the names of new directories outlive a loss of power right after the first commit', async () => {
  const { world, state } = await open();
  world.losePower('dropped');
  await world.pass(25_000);
  expect(state()).toMatchObject({ phase: 'committed', units: [{ state: 'running' }] });
  expect(world.invariants.violations).toEqual([]);
});

test('an old message about the version that serves does not take its files away', async () => {
  const { world, publish, state } = await open();
  const second = await publish([edge('good')], 2000);
  expect(state()).toMatchObject({ phase: 'serving', running: { generation: 2 } });
  await publish([edge('unchecked')], 1000);
  world.deliver(second);
  await world.pass(20_000);
  expect(state()).toMatchObject({ committed: { generation: 2 } });
  const pid = pidOf(state());
  world.killAgent();
  await world.pass(10_000);
  expect(pidOf(state())).toBe(pid);
  expect(world.trace.join('\n')).not.toContain('Files of a version are gone');
});

test('an old message does not end the download of something newer', async () => {
  const { world, publish, state } = await open();
  const [first] = world.manager.published;
  world.manager.transfer = 'stuck';
  await publish([edge('good')], 1000);
  world.deliver(first);
  await world.pass(1000);
  expect(state()).toMatchObject({ phase: 'progressing', nack: null });
});

test('what is said of a newer version is not replaced by what is said of an older one', async () => {
  const { world, publish, state } = await open();
  await publish([edge('good')], 2000);
  await publish([edge('unchecked')], 1000);
  expect(state().nack).toMatchObject({ generation: 3, code: 'engine.check-failed' });
  const [engine] = world.processes.engines;
  if (engine !== undefined) world.processes.end(engine, null, 'SIGKILL');
  await world.pass(20_000);
  expect(state().nack).toMatchObject({ generation: 3, code: 'engine.check-failed' });
});

test('a version that was down during its watch is watched anew', async () => {
  const world = new World(createPrng(1));
  world.redirects.isThere = false;
  world.startAgent();
  world.manager.publish([edge('good')]);
  await world.pass(9000);
  world.surroundings.isUplinkDown = true;
  await world.pass(20_000);
  world.surroundings.isUplinkDown = false;
  await world.pass(6000);
  expect(world.agent?.state).toMatchObject({ phase: 'serving', committed: null });
  await world.pass(10_000);
  expect(world.agent?.state).toMatchObject({ phase: 'committed' });
});

test('a version that is offered while it is taken back waits for its turn', async () => {
  const { world, publish, state } = await open();
  const hanging = await publish([edge('hanging', { reload: 'restart', trial: false })], 100);
  for (let passed = 0; passed < 120_000 && !said(world, 'A version is taken back'); passed += 500)
    await world.pass(500);
  // Its engine hangs, so that ending it takes ten seconds.
  world.deliver(hanging);
  await world.pass(25_000);
  expect(state()).toMatchObject({ running: { generation: 1 }, nack: { generation: 2 } });
  expect(world.trace.filter((line) => line.includes('A version serves'))).toHaveLength(2);
});

test.each([1, 2, 3, 4, 5])('read %i of a slot fails while the agent comes up, and an engine runs soon', async (nth) => {
  const { world, state } = await open();
  world.losePower('kept');
  let reads = 0;
  world.diskFaultOf = (operation, file) => operation === 'read' && file.endsWith('slot.json') && (reads += 1) === nth;
  await world.pass(70_000);
  expect(state()).toMatchObject({ phase: 'committed', units: [{ state: 'running' }] });
});

test('an agent comes up on a disk that takes no writes', async () => {
  const { world, state } = await open();
  const pid = pidOf(state());
  world.diskFaultOf = (operation) => operation !== 'read';
  world.killAgent();
  await world.pass(10_000);
  expect(pidOf(state())).toBe(pid);
});

test('nothing of a trial stays on the disk when the order is refused before it began', async () => {
  const { world, publish } = await open();
  await publish([edge('unchecked')], 1000);
  expect(world.disk.list().filter((file) => file.includes('/trials/'))).toEqual([]);
});

test('what a write was cut off from is gone after the next start', async () => {
  const { world, publish } = await open();
  world.stopAt({ after: 2, what: 'agent' });
  await publish([edge('good')], 10_000);
  expect(world.disk.list().filter((file) => file.endsWith('.tmp'))).toEqual([]);
});

test('two units of one order on one port are refused before what runs is touched', async () => {
  const { publish, state } = await open();
  const pid = pidOf(state());
  await publish([edge('good'), { ...edge('good'), unit: 'main', port: 1080 }], 3000);
  expect(state()).toMatchObject({ running: { generation: 1 }, nack: { code: 'unit.port-in-use' } });
  expect(pidOf(state())).toBe(pid);
});

test('a clock that is put back does not keep an engine that drains', async () => {
  const { world, publish } = await open({ isSwapping: true });
  for (const { instance } of world.processes.engines) if (instance) instance.busyUntilMs = Infinity;
  await publish([edge('good')]);
  expect(world.processes.engines).toHaveLength(2);
  world.time.skewMs = -86_400_000;
  await world.pass(11 * 60_000);
  expect(world.processes.engines).toHaveLength(1);
});

test('a slot that is laid out anew is the old one or the new one, wherever it stops', async () => {
  const slotOf = (text: string): LiveSlot =>
    ({ name: '1.1-1', unit: { name: 'edge' }, report: { digest: digestOf(Buffer.from(text), sha256) } }) as LiveSlot;
  for (let stopAt = 0; stopAt < 25; stopAt += 1) {
    for (const loss of ['dropped', 'kept', 'torn'] as const) {
      const model = new CrashDisk();
      let left = Infinity;
      const disk = createDisk(
        model.files((operation) => (operation !== 'read' && (left -= 1) < 0 ? new Promise(() => {}) : undefined)),
      );
      const slots = createSlots(disk, '/state');
      await disk.makeDirectory(slots.directory('edge', '1.1-1'));
      await disk.write(slots.configFile('edge', '1.1-1'), 'old');
      await slots.store(slotOf('old'));
      left = stopAt;
      void disk.write(slots.nextFile('edge', '1.1-1'), 'new').then(async () => await slots.replace(slotOf('new')));
      await settle();
      model.crash(loss, createPrng(stopAt));
      left = Infinity;
      const [bytes, slot] = [model.peek(slots.configFile('edge', '1.1-1')), await slots.read('edge', '1.1-1')];
      expect(slot?.report.digest).toBe(slotOf(String(bytes)).report.digest);
    }
  }
});

const said = (world: World, words: string): boolean => world.trace.some((line) => line.includes(words));
