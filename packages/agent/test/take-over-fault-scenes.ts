// More take-overs, most of them while something fails: parts of `take-over-scenes.ts`, which plays them.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { createControlApi } from '../src/engines/control-api.ts';
import { createFront } from '../src/reload/front.ts';
import { noMover } from '../src/reload/mover.ts';
import { createRedirects, withoutNft } from '../src/reload/redirects.ts';
import { createDisk } from '../src/state/disk.ts';
import { createSlots } from '../src/state/slots.ts';
import { restartDefaults } from '../src/supervisor/restart-policy.ts';
import {
  directConfig,
  freePort,
  isCommitted,
  openRig,
  openStream,
  requestThrough,
  until,
  untilTrue,
  type OrderOptions,
} from './reconciler-rig.ts';
import { follow, nft, openKilledAt, openSwapping, redirections, tables, version } from './take-over-rig.ts';

export const faultScenes: Readonly<Record<string, () => Promise<void>>> = {
  async 'what ended before another version took over is not held against that one'() {
    await using rig = await openRig();
    const restart = { ...restartDefaults, base_ms: 10, burst: 2 };
    const agent = await openSwapping(rig, { settings: { restart } });
    const first = await follow(rig, agent, version(rig, 1));
    using _stream = await openStream(rig.port, rig.origin.url);
    await follow(rig, agent, version(rig, 2));
    const killOnce = async (restarts: number): Promise<void> => {
      const { units } = await until(agent, (state) => state.units[0]?.state === 'running');
      process.kill(units[0]?.pid ?? 0, 'SIGKILL');
      await until(agent, (state) => state.units[0]?.restarts === restarts);
    };
    await killOnce(1);
    await killOnce(2);
    await until(agent, ({ running, units }) => running?.generation === 1 && units[0]?.pid === first.pid);
    await killOnce(3);
    await until(agent, ({ units }) => units[0]?.state === 'running' && units[0].pid !== first.pid);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'an engine that connections still come to stays where it is, though nft is gone'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    await follow(rig, agent, version(rig, 1));
    const { pid } = await follow(rig, agent, version(rig, 2));
    using stream = await openStream(rig.port, rig.origin.url);
    await agent[Symbol.asyncDispose]();
    const next = await openSwapping(rig, { machine: { mover: withoutNft() } });
    assert.deepEqual([next.state.units[0]?.pid, stream.isOpen], [pid, true]);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
    // Nobody answers at the ports while it is started again.
    process.kill(pid ?? 0, 'SIGKILL');
    await until(next, ({ units }) => units[0]?.restarts === 1 && units[0].state === 'running');
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'a table that cannot be read back is in force all the same'() {
    await using rig = await openRig();
    let refused = 0;
    const refusing = ((program: string, args: string[], options: object) => {
      const isRead = args[0] === 'list' && args[1] === 'table' && refused < 1;
      if (isRead) refused += 1;
      return spawn(isRead ? 'false' : program, args, options);
    }) as typeof spawn;
    const mover = createRedirects({
      spawn: refusing,
      clock: systemClock,
      log: silentLogger,
      stateDir: rig.directory,
    });
    const agent = await openSwapping(rig, { machine: { mover } });
    await follow(rig, agent, version(rig, 1));
    using stream = await openStream(rig.port, rig.origin.url);
    const second = await follow(rig, agent, version(rig, 2));
    assert.deepEqual([refused, second.reload?.strategy, stream.isOpen], [1, 'swap', true]);
    nft('flush', 'ruleset');
    await untilTrue(() => tables().length === 1);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'an engine that cannot be ended goes on to be reached'() {
    await using rig = await openRig();
    let immune: number | null = null;
    const agent = await openSwapping(rig, {
      kill: (pid, signal) => void (Math.abs(pid) === immune || process.kill(pid, signal)),
      settings: { stop_ms: 300 },
    });
    await follow(rig, agent, version(rig, 1));
    const { pid } = await follow(rig, agent, version(rig, 2));
    await until(agent, ({ units }) => units[0]?.draining?.length === 0);
    immune = pid;
    agent.offer(rig.order(version(rig, 3, { unit: { reload: 'restart' } })));
    const { nack, units } = await until(agent, (state) => state.phase !== 'progressing' && state.nack !== null);
    assert.deepEqual([nack?.code, units[0]?.pid], ['unit.failed', pid]);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
    immune = null;
  },

  async 'a table that an earlier agent left is removed as soon as that can be done'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    await follow(rig, agent, version(rig, 1));
    await follow(rig, agent, version(rig, 2));
    await until(agent, ({ units }) => units[0]?.draining?.length === 0);
    const ruleset = nft('list', 'ruleset');
    await follow(rig, agent, version(rig, 3));
    await until(agent, ({ units }) => units[0]?.draining?.length === 0);
    await untilTrue(() => redirections().length === 0);
    await agent[Symbol.asyncDispose]();
    execFileSync('nft', ['-f', '-'], { input: ruleset });
    let failed = 0;
    const failing = ((program: string, args: string[], options: object) => {
      const fails = args[0] === '-f' && failed < 1;
      if (fails) failed += 1;
      return spawn(fails ? 'false' : program, args, options);
    }) as typeof spawn;
    const mover = createRedirects({ spawn: failing, clock: systemClock, log: silentLogger, stateDir: rig.directory });
    await openSwapping(rig, { machine: { mover } });
    await untilTrue(() => redirections().length === 0);
    assert.equal(failed, 1);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'a port that goes from one unit to another is only the other one'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    const [own, others, third] = [rig.port, await freePort(), await freePort()];
    const level = (generation: number) => ({ log: { level: ['info', 'warn'][generation % 2] } });
    const commit = async (generation: number, a: number, b: number): Promise<void> => {
      // Only the second one refuses that port.
      const rules = [{ port: [9], action: 'reject' }];
      const configs = {
        a: directConfig(a, level(generation)),
        b: directConfig(b, { ...level(generation), route: { final: 'out', rules } }),
      };
      agent.offer(rig.order({ generation, configs }));
      await until(agent, (state) => isCommitted(generation)(state) || state.nack !== null);
      assert.equal(agent.state.nack, null);
    };
    await commit(1, own, others);
    using _stream = await openStream(own, rig.origin.url);
    await commit(2, third, own);
    assert.deepEqual(
      agent.processes().filter(({ role }) => role === 'draining'),
      [],
    );
    assert.equal(agent.state.units.find(({ name }) => name === 'b')?.reload?.strategy, 'swap');
    assert.equal(await requestThrough(own, rig.origin.url), 204);
    // Back by hand, too.
    using _other = await openStream(own, rig.origin.url);
    await agent.rollback();
    assert.deepEqual(
      agent.processes().filter(({ unit, role }) => unit === 'b' && role === 'draining'),
      [],
    );
    assert.equal(await requestThrough(own, rig.origin.url), 204);
  },

  async 'an agent that is killed while the new engine is proved leaves the old one in charge'() {
    await using rig = await openRig();
    const { agent, first, stream } = await openKilledAt(rig, { link: /current$/ });
    using _stream = stream;
    assert.equal(rig.engines().length, 2);
    rig.abandon(agent);
    const next = await openSwapping(rig);
    assert.equal(next.processes().find(({ role }) => role === 'live')?.pid, first.pid);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
    // The order is still there to be followed, and nobody was cut off.
    next.offer(rig.order(version(rig, 2)));
    const { units } = await until(next, isCommitted(2));
    assert.equal(units[0]?.reload?.strategy, 'swap');
    assert.equal(stream.isOpen, true);
    assert.equal(rig.engines().length, 2);
  },

  async 'an agent that is killed after the move leaves the new one in charge, and the old one drains on'() {
    await using rig = await openRig();
    const { agent, first, stream } = await openKilledAt(rig, { append: /"SERVING".*"generation":2/ });
    rig.abandon(agent);
    // What somebody did to the rules meanwhile is put right too.
    nft('flush', 'ruleset');
    const next = await openSwapping(rig);
    const { units } = await until(next, isCommitted(2));
    assert.notEqual(units[0]?.pid, first.pid);
    assert.deepEqual(
      units[0]?.draining?.map(({ pid }) => pid),
      [first.pid],
    );
    assert.equal(stream.isOpen, true);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
    stream[Symbol.dispose]();
    await until(next, (state) => state.units[0]?.draining?.length === 0);
    assert.deepEqual(rig.engines(), [units[0]?.pid]);
  },

  async 'an agent that is killed before it told an engine tells it later'() {
    await using rig = await openRig();
    const choosing = (generation: number, preset: string): OrderOptions => ({
      generation,
      config: directConfig(rig.port, {
        outbounds: [
          { type: 'selector', tag: 'select', outbounds: ['a', 'b'], default: preset },
          ...['a', 'b'].map((tag) => ({ type: 'direct', tag })),
        ],
        route: { final: 'select' },
      }),
    });
    const api = createControlApi(1000);
    const died = Promise.withResolvers<void>();
    let isArmed = false;
    const control: typeof api = {
      ...api,
      async select(...args) {
        if (!isArmed) return await api.select(...args);
        died.resolve();
        return await new Promise<boolean>(() => {});
      },
    };
    const agent = await openSwapping(rig, { machine: { mover: noMover('not here'), control } });
    const first = await follow(rig, agent, choosing(1, 'a'));
    using stream = await openStream(rig.port, rig.origin.url);
    isArmed = true;
    agent.offer(rig.order(choosing(2, 'b')));
    await died.promise;
    rig.abandon(agent);
    const next = await openSwapping(rig);
    const { units } = await until(next, isCommitted(2));
    assert.deepEqual([units[0]?.pid, stream.isOpen], [first.pid, true]);
    const slots = createSlots(createDisk(), rig.directory);
    const slot = await slots.read('edge', (await slots.target('edge', 'current')) ?? '');
    assert.ok(slot);
    assert.equal((await api.selectors(slot.control)).get('select')?.now, 'b');
  },

  async 'what drained when the power went leaves nothing behind'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    await follow(rig, agent, version(rig, 1));
    using _stream = await openStream(rig.port, rig.origin.url);
    await follow(rig, agent, version(rig, 2));
    await agent[Symbol.asyncDispose]();
    await rig.killEngines();
    nft('flush', 'ruleset');
    const directory = path.join(rig.directory, 'slots', 'edge');
    const marked = () => ['1.1-1', '1.2-1'].filter((name) => existsSync(path.join(directory, name, 'drain.json')));
    assert.deepEqual(marked(), ['1.1-1']);
    await openSwapping(rig);
    assert.deepEqual(marked(), []);
  },

  async 'a foreign rule that redirects traffic to the port makes a swap impossible'() {
    await using rig = await openRig();
    const rule = `table ip x { chain c { type nat hook prerouting priority -110; tcp dport { 7, ${rig.port} } counter redirect to :${rig.port + 1}; }; }`;
    const agent = await openSwapping(rig);
    await follow(rig, agent, version(rig, 1));
    execFileSync('nft', ['-f', '-'], { input: rule });
    const second = await follow(rig, agent, version(rig, 2));
    assert.equal(second.reload?.strategy, 'overlap');
    const why = second.reload.refused.find(({ strategy }) => strategy === 'swap')?.why;
    assert.match(why ?? '', /redirects traffic that goes there/);
  },

  async 'a front that is wanted later gets the ports with the first take-over that ends connections anyhow'() {
    for (const [reload, strategy] of [
      ['auto', 'in-place'],
      ['restart', 'restart'],
    ] as const) {
      await using rig = await openRig();
      const before = await rig.boot();
      await follow(rig, before, version(rig, 1));
      await before[Symbol.asyncDispose]();
      const agent = await openSwapping(rig, {
        machine: { mover: createFront({ clock: systemClock, log: silentLogger }) },
      });
      const [plan] = await agent.plan(rig.order(version(rig, 2, { unit: { reload } })));
      assert.equal(plan?.strategy, strategy);
      const second = await follow(rig, agent, version(rig, 2, { unit: { reload } }));
      assert.equal(second.reload?.strategy, strategy);
      assert.deepEqual(second.listens, [{ tag: 'in', address: `127.0.0.1:${rig.port}` }]);
      assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
      using stream = await openStream(rig.port, rig.origin.url);
      assert.equal((await follow(rig, agent, version(rig, 3))).reload?.strategy, 'swap');
      assert.equal(stream.isOpen, true);
    }
  },

  async 'a front in the agent moves connections too'() {
    await using rig = await openRig();
    const mover = createFront({ clock: systemClock, log: silentLogger });
    const agent = await openSwapping(rig, { machine: { mover } });
    const first = await follow(rig, agent, version(rig, 1));
    assert.deepEqual(first.listens, [{ tag: 'in', address: `127.0.0.1:${rig.port}` }]);
    using stream = await openStream(rig.port, rig.origin.url);
    const second = await follow(rig, agent, version(rig, 2));
    assert.equal(second.reload?.strategy, 'swap');
    assert.equal(stream.isOpen, true);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
    assert.deepEqual(
      second.draining?.map(({ pid }) => pid),
      [first.pid],
    );
    stream[Symbol.dispose]();
    await until(agent, ({ units }) => units[0]?.draining?.length === 0);
    assert.deepEqual(tables(), []);
  },
};
