import { createFakeClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { expect, test } from '@jest/globals';
import { createControlApi, type Carried, type ControlApi } from '../engines/control-api.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { EngineProcess } from '../supervisor/engine-process.ts';
import { Drain, describeDraining, type Instance } from './drain.ts';

/** Engines by name: what each carries, and whether it was ended. */
function openDrain() {
  const clock = createFakeClock();
  const carried = new Map<string, Carried>();
  const ended: string[] = [];
  const control: ControlApi = {
    ...createControlApi(1),
    connections: async ({ secret }) => {
      const found = carried.get(secret);
      return found === undefined ? await Promise.reject(new Error('no answer')) : await Promise.resolve(found);
    },
  };
  const drain = new Drain({ clock, control, log: silentLogger, everyMs: 1000, onChange: () => {} });
  const engine = (name: string, open: number): Instance => {
    carried.set(name, { open, bytes: 0 });
    const process = {
      identity: { pid: carried.size, starttime: '', boot_id: '', exe: '' },
      get isAlive() {
        return !ended.includes(name);
      },
      stop: async () => await Promise.resolve(void ended.push(name)),
      release: () => {},
    } as unknown as EngineProcess;
    const slot = { name, unit: { name: 'edge' }, control: { address: '', secret: name } } as unknown as LiveSlot;
    return { process, slot, isLinked: true, logStart: 0 };
  };
  return { clock, carried, ended, drain, engine };
}

test('it ends when nothing was open and nothing moved for two looks', async () => {
  const { clock, carried, ended, drain, engine } = openDrain();
  await drain.add(engine('a', 1), clock.now() + 600_000);
  await clock.advance(3000);
  expect(describeDraining(drain.engines)).toMatchObject([{ connections: 1 }]);
  // A client that has a connection of its own to it asks for one thing after another.
  for (let bytes = 1; bytes < 5; bytes += 1) {
    carried.set('a', { open: 0, bytes });
    await clock.advance(1000);
  }
  expect(ended).toEqual([]);
  await clock.advance(2000);
  expect(ended).toEqual(['a']);
  expect(drain.engines).toEqual([]);
});

test('one that says nothing, or never gets empty, ends with its time', async () => {
  const { clock, carried, ended, drain, engine } = openDrain();
  await drain.add(engine('busy', 7), clock.now() + 10_000);
  await drain.add(engine('silent', 0), clock.now() + 20_000);
  carried.delete('silent');
  await clock.advance(9000);
  expect(ended).toEqual([]);
  await clock.advance(1000);
  expect(ended).toEqual(['busy']);
  await clock.advance(10_000);
  expect(ended).toEqual(['busy', 'silent']);
});

test('of three, the one with the fewest connections ends, and never the newest', async () => {
  const { clock, ended, drain, engine } = openDrain();
  await drain.add(engine('a', 9), clock.now() + 60_000);
  await drain.add(engine('b', 3), clock.now() + 60_000);
  const added = drain.add(engine('c', 1), clock.now() + 60_000);
  // What is under way gets a moment.
  await clock.advance(500);
  await added;
  expect(ended).toEqual(['b']);
  expect(await drain.take('a')).toMatchObject({ slot: { name: 'a' } });
  expect(await drain.take('b')).toBeUndefined();
  await drain.endAll();
  expect(ended).toEqual(['b', 'c']);
});
