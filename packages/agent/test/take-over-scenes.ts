// Take-overs by real engines with the real nftables. Run as a program of its own, inside a network namespace:
// `node take-over-scenes.ts SCENE`; ends with 0 when all went as it should.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ProblemError, systemClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { createControlApi } from '../src/engines/control-api.ts';
import { createEngineFinder } from '../src/engines/find-engine.ts';
import { noMover, type Mover, type Way } from '../src/reload/mover.ts';
import { createRedirects, removeRedirects } from '../src/reload/redirects.ts';
import { createDisk } from '../src/state/disk.ts';
import { createSlots } from '../src/state/slots.ts';
import { createTestCertificates } from './certificates.ts';
import {
  directConfig,
  freePort,
  openRig,
  openStream,
  requestThrough,
  singBoxPath,
  until,
  untilTrue,
  type OrderOptions,
} from './reconciler-rig.ts';
import { faultScenes } from './take-over-fault-scenes.ts';
import { follow, nft, openSwapping, redirections, tables, untilTrueAsync, version } from './take-over-rig.ts';

const scenes: Readonly<Record<string, () => Promise<void>>> = {
  async 'swap keeps what is open, moves what is new, and goes back and forth'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    const first = await follow(rig, agent, version(rig, 1));
    assert.deepEqual(tables(), []);
    using stream = await openStream(rig.port, rig.origin.url);
    const second = await follow(rig, agent, version(rig, 2));
    assert.equal(second.reload?.strategy, 'swap');
    assert.equal(second.reload?.will_end, 0);
    assert.deepEqual(
      second.draining?.map(({ pid }) => pid),
      [first.pid],
    );
    assert.notEqual(second.pid, first.pid);
    assert.deepEqual(second.listens, first.listens);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
    assert.equal(stream.isOpen, true);
    // The stream is the only one that the old engine has; what is new goes to the new one.
    using other = await openStream(rig.port, rig.origin.url);
    await until(agent, ({ units }) => units[0]?.draining?.[0]?.connections === 1);

    // The first one still has the real ports, so that the third is beside both.
    const third = await follow(rig, agent, version(rig, 3));
    assert.deepEqual(new Set(third.draining?.map(({ pid }) => pid)), new Set([first.pid, second.pid]));
    assert.equal(stream.isOpen && other.isOpen, true);
    assert.equal(rig.engines().length, 3);
    stream[Symbol.dispose]();
    other[Symbol.dispose]();
    await until(agent, ({ units }) => units[0]?.draining?.length === 0);
    assert.deepEqual(rig.engines(), [third.pid]);
    assert.equal(tables().length, 1);

    // Nobody has the real ports now: the fourth takes them, and nothing is left of the redirects.
    using third_stream = await openStream(rig.port, rig.origin.url);
    const fourth = await follow(rig, agent, version(rig, 4));
    assert.equal(fourth.reload?.strategy, 'swap');
    assert.equal(third_stream.isOpen, true);
    assert.equal(tables().length, 1);
    third_stream[Symbol.dispose]();
    await until(agent, ({ units }) => units[0]?.draining?.length === 0);
    await untilTrue(() => redirections().length === 0);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
    // Connections are followed to their end.
    assert.equal(tables().length, 1);
  },

  async 'a rollback moves back to the engine that still lives'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    const first = await follow(rig, agent, version(rig, 1));
    using stream = await openStream(rig.port, rig.origin.url);
    await follow(rig, agent, version(rig, 2));
    using newer = await openStream(rig.port, rig.origin.url);
    await agent.rollback();
    const { units } = await until(agent, ({ running }) => running?.generation === 1);
    assert.equal(units[0]?.pid, first.pid);
    assert.equal(stream.isOpen && newer.isOpen, true);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'a rollback to an engine that is gone cuts nobody off either'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    const first = await follow(rig, agent, version(rig, 1));
    await follow(rig, agent, version(rig, 2));
    await until(agent, ({ units }) => units[0]?.draining?.length === 0);
    using stream = await openStream(rig.port, rig.origin.url);
    await agent.rollback();
    const { units } = await until(agent, ({ running }) => running?.generation === 1);
    assert.notEqual(units[0]?.pid, first.pid);
    assert.equal(units[0]?.reload?.strategy, 'swap');
    assert.equal(stream.isOpen, true);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'a flush of all rules is repaired, foreign tables stay as they are'() {
    await using rig = await openRig();
    execFileSync('nft', ['-f', '-'], { input: 'table inet foreign { chain c { tcp dport 9 drop; }; }' });
    const foreign = nft('list', 'table', 'inet', 'foreign');
    const agent = await openSwapping(rig);
    await follow(rig, agent, version(rig, 1));
    using _stream = await openStream(rig.port, rig.origin.url);
    await follow(rig, agent, version(rig, 2));
    assert.equal(nft('list', 'table', 'inet', 'foreign'), foreign);
    assert.equal(tables().length, 2);
    nft('flush', 'ruleset');
    await untilTrue(() => tables().length === 1);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
    assert.equal(await removeRedirects({ spawn, stateDir: rig.directory }), 1);
    assert.deepEqual(tables(), []);
  },

  async 'a foreign rule that sends traffic to the port makes a swap impossible'() {
    await using rig = await openRig();
    const rule = `table ip nat { chain pre { type nat hook prerouting priority -100; tcp dport 7 redirect to :${rig.port}; }; }`;
    execFileSync('nft', ['-f', '-'], { input: rule });
    const agent = await openSwapping(rig);
    await follow(rig, agent, version(rig, 1));
    const second = await follow(rig, agent, version(rig, 2));
    assert.equal(second.reload?.strategy, 'overlap');
    const why = second.reload.refused.find(({ strategy }) => strategy === 'swap')?.why;
    assert.match(why ?? '', /sends traffic there/);
  },

  async 'what can be told is told: the same process, the same streams'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    const choosing = (generation: number, preset: string, mode: string): OrderOptions => ({
      generation,
      config: directConfig(rig.port, {
        outbounds: [
          { type: 'selector', tag: 'select', outbounds: ['a', 'b', 'c'], default: preset },
          ...['a', 'b', 'c'].map((tag) => ({ type: 'direct', tag })),
        ],
        route: { final: 'select', rules: [{ clash_mode: 'Global', outbound: 'a' }] },
        experimental: { clash_api: { default_mode: mode } },
      }),
    });
    const { control } = (await createSlots(createDisk(), rig.directory).read('edge', '1.1-1')) ?? {};
    assert.equal(control, undefined);
    const first = await follow(rig, agent, choosing(1, 'a', 'Rule'));
    using stream = await openStream(rig.port, rig.origin.url);
    const api = createControlApi(1000);
    const slots = createSlots(createDisk(), rig.directory);
    const current = async () => {
      const slot = await slots.read('edge', (await slots.target('edge', 'current')) ?? '');
      assert.ok(slot);
      return slot.control;
    };
    const chosen = async (): Promise<string | undefined> => (await api.selectors(await current())).get('select')?.now;
    const second = await follow(rig, agent, choosing(2, 'b', 'Global'));
    assert.deepEqual([second.pid, second.reload?.strategy], [first.pid, 'live']);
    assert.equal(await chosen(), 'b');
    assert.match(await api.mode(await current()), /^global$/i);
    // What somebody chose goes over what the version says.
    assert.equal(await api.select(await current(), 'select', 'c'), true);
    await follow(rig, agent, choosing(3, 'a', 'Rule'));
    assert.equal(await chosen(), 'c');
    assert.match(await api.mode(await current()), /^rule$/i);
    assert.equal(stream.isOpen, true);
    // The next start has it too, and what the agent said is no choice of anybody.
    process.kill(first.pid ?? 0, 'SIGKILL');
    await until(agent, ({ units }) => units[0]?.restarts === 1 && units[0].state === 'running');
    assert.equal(await chosen(), 'c');
  },

  async 'overlap where nothing can be moved, in place where only one can be'() {
    await using rig = await openRig();
    const agent = await rig.boot();
    const first = await follow(rig, agent, version(rig, 1));
    const second = await follow(rig, agent, version(rig, 2));
    assert.equal(second.reload?.strategy, 'overlap');
    assert.notEqual(second.pid, first.pid);
    assert.deepEqual(rig.engines(), [second.pid]);
    const wireguard = {
      type: 'wireguard',
      tag: 'wg',
      address: ['10.9.0.2/32'],
      private_key: 'YAnz5TF+lXXJte14tji3zlMNftft3VqHWPCu6oZbJ1s=',
      peers: [
        {
          address: '127.0.0.1',
          port: 9,
          public_key: 'Xvb5zY3oM0sZDXl8Iv5d4UcTn4lS0tIcQe4DqkP4mjo=',
          allowed_ips: ['0.0.0.0/0'],
        },
      ],
    };
    const third = await follow(rig, agent, {
      generation: 3,
      config: directConfig(rig.port, { endpoints: [wireguard] }),
    });
    assert.deepEqual([third.pid, third.reload?.strategy], [second.pid, 'in-place']);
    assert.match(
      third.reload?.refused.find(({ strategy }) => strategy === 'swap')?.why ?? '',
      /endpoint "wg" \(wireguard\)/,
    );
  },

  async 'where connections turn out not to be movable, the next gentlest way is taken'() {
    await using rig = await openRig();
    const mover = createRedirects({ spawn, clock: systemClock, log: silentLogger, stateDir: rig.directory });
    const refusing: Mover = {
      ...mover,
      async point(unit, way) {
        if (way.redirects.length > 0) throw new ProblemError('apply.failed', 'nft: not today');
        await mover.point(unit, way);
      },
    };
    const agent = await openSwapping(rig, { machine: { mover: refusing } });
    await follow(rig, agent, version(rig, 1));
    const second = await follow(rig, agent, version(rig, 2));
    assert.equal(second.reload?.strategy, 'overlap');
    assert.equal(second.reload.refused.find(({ strategy }) => strategy === 'swap')?.why, 'nft: not today');
    assert.deepEqual(rig.engines(), [second.pid]);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'an engine that nothing can send connections to is put back on its own ports'() {
    await using rig = await openRig();
    const agent = await openSwapping(rig);
    await follow(rig, agent, version(rig, 1));
    await follow(rig, agent, version(rig, 2));
    await agent[Symbol.asyncDispose]();
    await rig.killEngines();
    nft('flush', 'ruleset');
    const point = async (_: string, { redirects }: Way): Promise<void> => {
      if (redirects.length > 0) throw new ProblemError('apply.failed', 'nft: gone');
      await Promise.resolve();
    };
    const next = await openSwapping(rig, { machine: { mover: { ...noMover('nft is gone'), point } } });
    assert.equal(next.state.running?.generation, 2);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'another engine takes over while streams go on, and back'() {
    await using rig = await openRig();
    const finder = (place: string) =>
      createEngineFinder({
        candidates: [path.resolve(import.meta.dirname, '../../../.tools', place, 'sing-box')],
        spawn,
      });
    const agent = await openSwapping(rig, { engines: finder('sing-box-1.12.23') });
    const first = await follow(rig, agent, version(rig, 1));
    using stream = await openStream(rig.port, rig.origin.url);
    await agent[Symbol.asyncDispose]();
    const next = await openSwapping(rig, { engines: finder('bin') });
    const second = await follow(rig, next, version(rig, 2));
    assert.equal(second.reload?.strategy, 'swap');
    assert.deepEqual(
      second.draining?.map(({ pid }) => pid),
      [first.pid],
    );
    await next.rollback();
    await until(next, ({ units }) => units[0]?.pid === first.pid);
    assert.equal(stream.isOpen, true);
    assert.equal(await requestThrough(rig.port, rig.origin.url), 204);
  },

  async 'UDP: clients of a hysteria2 server lose nothing'() {
    await using rig = await openRig();
    const { certPem, keyPem } = await createTestCertificates(['example.test']);
    const [certificate_path, key_path] = ['cert.pem', 'key.pem'].map((name) => path.join(rig.directory, name));
    writeFileSync(certificate_path ?? '', certPem);
    writeFileSync(key_path ?? '', keyPem);
    const port = await freePort();
    const serving = (generation: number): OrderOptions => ({
      generation,
      config: directConfig(rig.port, {
        log: { level: ['info', 'warn', 'error', 'debug'][generation % 4] },
        inbounds: [
          {
            type: 'hysteria2',
            tag: 'hy2',
            listen: '::',
            listen_port: port,
            users: [{ name: 'u', password: 'p' }],
            tls: { enabled: true, server_name: 'example.test', certificate_path, key_path },
          },
        ],
      }),
    });
    const agent = await openSwapping(rig, { settings: { drain_every_ms: 300 } });
    await follow(rig, agent, serving(1));
    assert.equal(tables().length, 1);
    const client = {
      log: { level: 'error' },
      inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: rig.port }],
      outbounds: [
        {
          type: 'hysteria2',
          tag: 'out',
          server: '127.0.0.1',
          server_port: port,
          password: 'p',
          tls: { enabled: true, server_name: 'example.test', insecure: true },
        },
      ],
    };
    const answers = async (): Promise<boolean> =>
      await requestThrough(rig.port, rig.origin.url).then(
        () => true,
        () => false,
      );
    const file = path.join(rig.directory, 'client.json');
    writeFileSync(file, JSON.stringify(client));
    const process = spawn(singBoxPath, ['run', '-c', file], { stdio: 'ignore' });
    try {
      await untilTrueAsync(answers);
      const asking = new AbortController();
      let [answered, lost] = [0, 0];
      const load = (async () => {
        while (!asking.signal.aborted) {
          await requestThrough(rig.port, rig.origin.url).then(
            () => (answered += 1),
            () => (lost += 1),
          );
          await systemClock.sleep(10);
        }
      })();
      const stream = await openStream(rig.port, rig.origin.url);
      const second = await follow(rig, agent, serving(2));
      assert.equal(second.reload?.strategy, 'swap');
      assert.equal(stream.isOpen, true);
      const asked = answered;
      await untilTrue(() => answered > asked + 20);
      assert.equal(lost, 0);
      // One QUIC connection carries all of it: the first engine is needed until nothing is asked for any more.
      assert.equal(agent.state.units[0]?.draining?.length, 1);
      asking.abort();
      await load;
      stream[Symbol.dispose]();
      await until(agent, ({ units }) => units[0]?.draining?.length === 0);
      // What the client hears of the end of its idle connection comes a moment later than what the agent says of it.
      await untilTrueAsync(answers);
      assert.equal(lost, 0);
    } finally {
      process.kill('SIGKILL');
    }
  },

  ...faultScenes,
};

/** The scenes by name, for who runs them. */
export const sceneNames = Object.keys(scenes);

if (path.resolve(process.argv[1] ?? '') === import.meta.filename) {
  const scene = scenes[process.argv[2] ?? ''];
  assert.ok(scene, `scenes: ${sceneNames.join('; ')}`);
  await scene();
  // What was abandoned still waits for what never comes.
  process.exit(0);
}
