import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { systemClock, type Clock } from '@sbox/core';
import { expect, jest, test } from '@jest/globals';
import type { Reconciler } from '../src/order.ts';
import { createDisk, type Disk } from '../src/state/disk.ts';
import { parseJournal } from '../src/state/journal.ts';
import { replay } from '../src/state/journal-replay.ts';
import { directConfig, isCommitted, isRefused, openRig, requestThrough, until, type Rig } from './reconciler-rig.ts';

jest.setTimeout(120_000);

const writes = ['write', 'append', 'link', 'makeDirectory', 'remove'] as const;

/** A disk on which every write first asks whether it may happen. */
function guardDisk(guard: (name: (typeof writes)[number], args: readonly unknown[]) => Promise<void>): Disk {
  const disk = createDisk();
  const guarded = writes.map((name) => [
    name,
    async (...args: [string, string]): Promise<void> => {
      await guard(name, args);
      await disk[name](...args);
    },
  ]);
  return { ...disk, ...(Object.fromEntries(guarded) as Pick<Disk, (typeof writes)[number]>) };
}

test.each(['ENOSPC', 'EROFS', 'EIO'])(
  'scenario 17: %s stops nothing that runs and heals without a restart',
  async (code) => {
    await using rig = await openRig();
    let isBroken = false;
    const disk = guardDisk(async () => {
      if (isBroken) throw Object.assign(new Error(`${code}: no`), { code });
      await Promise.resolve();
    });
    const agent = await rig.serve({ disk, settings: { retry_ms: [200] } });
    const { units } = agent.state;
    const pid = units[0]?.pid;

    isBroken = true;
    const config = directConfig(rig.port, { log: { level: 'warn' } });
    agent.offer(rig.order({ generation: 2, config, unit: { reload: 'in-place' } }));
    const state = await until(agent, isRefused('disk.full'));
    expect(state).toMatchObject({
      disk_problem: expect.stringContaining(code),
      nack: { sticky: false },
      units: [{ pid }],
    });
    expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);

    isBroken = false;
    expect(await until(agent, isCommitted(2))).toMatchObject({ disk_problem: null, nack: null, units: [{ pid }] });
  },
);

test('an engine that dies while the disk takes no writes is started again all the same', async () => {
  await using rig = await openRig();
  let isBroken = false;
  const disk = guardDisk(async () => {
    if (isBroken) throw Object.assign(new Error('EROFS: no'), { code: 'EROFS' });
    await Promise.resolve();
  });
  const agent = await rig.serve({ disk });
  const { units } = agent.state;
  isBroken = true;
  process.kill(units[0]?.pid ?? 0, 'SIGKILL');
  await until(agent, (state) => state.units[0]?.restarts === 1 && state.units[0].state === 'running');
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

/** A machine that stops at its nth write after it was armed: nothing happens any more, nothing returns. */
function createMachine(stopAt: number) {
  let count = 0;
  let [isArmed, isDown] = [false, false];
  const stopped = Promise.withResolvers<undefined>();
  const timers = new AbortController();
  const never = new Promise<never>(() => {});
  const disk = guardDisk(async (name, [file, text]) => {
    if (isDown) await never;
    count += isArmed ? 1 : 0;
    if (count < stopAt) return;
    isDown = true;
    timers.abort();
    // What is appended may be there in part when the power goes.
    if (name === 'append') await fs.appendFile(String(file), String(text).slice(0, 40));
    stopped.resolve(undefined);
    await never;
  });
  const clock: Clock = {
    ...systemClock,
    sleep: async (ms, signal) => {
      const either = AbortSignal.any([timers.signal, ...(signal === undefined ? [] : [signal])]);
      try {
        await systemClock.sleep(ms, either);
      } catch (error) {
        if (timers.signal.aborted) await never;
        throw error;
      }
    },
  };
  const start: typeof spawn = ((...args: Parameters<typeof spawn>) => {
    if (isDown) throw new Error('the machine is down');
    return spawn(...args);
  }) as typeof spawn;
  return { disk, clock, spawn: start, stopped: stopped.promise, arm: () => (isArmed = true) };
}

interface Crash {
  readonly rig: Rig;
  readonly stopAt: number;
  readonly losesPower: boolean;
}

const order = (rig: Rig, generation: number) =>
  rig.order({
    generation,
    config: directConfig(rig.port, generation === 1 ? {} : { log: { level: 'warn' } }),
    unit: { watch_ms: 30 },
  });

/** Applies a second version on a machine that stops at its nth write; false when it was through before that. */
async function crashAt({ rig, stopAt, losesPower }: Crash): Promise<boolean> {
  const first = await rig.boot();
  first.offer(order(rig, 1));
  await until(first, isCommitted(1));
  await first[Symbol.asyncDispose]();

  const machine = createMachine(stopAt);
  const second = await rig.boot(machine);
  machine.arm();
  second.offer(order(rig, 2));
  const isDone = await Promise.race([
    machine.stopped.then(() => false),
    until(second, isCommitted(2)).then(() => true),
  ]);
  if (isDone) {
    await second[Symbol.asyncDispose]();
    return false;
  }
  rig.abandon(second);
  if (losesPower) {
    await rig.killEngines();
  }
  return true;
}

async function expectInvariants(rig: Rig, agent: Reconciler, stopAt: number): Promise<void> {
  const where = `stopped at write ${stopAt}`;
  expect([where, rig.engines().length]).toEqual([where, 1]);
  expect([where, await requestThrough(rig.port, rig.origin.url)]).toEqual([where, 204]);
  const file = path.join(rig.directory, 'journal.ndjson');
  const { records } = parseJournal(readFileSync(file, 'utf8'));
  const known = [...replay(records).committed, ...replay(records).candidates].flatMap(({ version }) => version.units);
  // What runs is the overlay of a rendition that the journal names.
  expect(known.map(({ digest }) => digest)).toContain(agent.state.units[0]?.digest);
  expect(known.map(({ slot }) => slot)).toContain(await fs.readlink(path.join(rig.directory, 'slots/edge/current')));
}

test.each([
  ['scenario 15: the agent is killed', false],
  ['scenario 16: the machine loses power', true],
])('%s at any write: one whole version serves afterwards and the order is followed', async (_, losesPower) => {
  let stopAt = 1;
  for (let isCrashed = true; isCrashed; stopAt += 1) {
    await using rig = await openRig();
    isCrashed = await crashAt({ rig, stopAt, losesPower });
    const agent = await rig.boot();
    await expectInvariants(rig, agent, stopAt);
    expect(agent.state.observed?.generation).toBeGreaterThanOrEqual(1);
    agent.offer(order(rig, 1));
    agent.offer(order(rig, 2));
    await until(agent, isCommitted(2));
    await expectInvariants(rig, agent, stopAt);
  }
  expect(stopAt).toBeGreaterThan(12);
});
