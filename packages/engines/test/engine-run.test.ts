import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { checkReferences, renderSingBox } from '../src/sing-box/render.ts';
import { overlay, singBox, type Slot } from '../src/sing-box/run.ts';
import { createWorkplace, engines, freePort, pinned, started } from './real-engine.ts';
import { missingIn, oneNode, sampleNodes } from './sample-nodes.ts';

const place = createWorkplace();
afterAll(() => place.remove());

const slotOf = async (mode: Slot['mode']): Promise<Slot> => ({
  mode,
  ports: { in: await freePort() },
  control: { address: `127.0.0.1:${await freePort()}`, secret: 'right' },
  cache_path: `${place.dir}/${mode}.db`,
  log: { level: 'info' },
  once: [],
});

const isRefused = (error: unknown): boolean => (error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED';

/** An engine says that it has started a moment before its control API listens. */
async function ask({ control }: Slot, secret: string, path: string, init: RequestInit = {}): Promise<Response> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      return await fetch(`http://${control.address}${path}`, { ...init, headers: singBox.control.header(secret) });
    } catch (error) {
      if (!isRefused(error) || performance.now() > deadline) throw error;
      await setTimeout(20);
    }
  }
}

describe.each(engines)('$name', (engine) => {
  test('serves with a live overlay, and tells the new secret from the old', async () => {
    const slot = await slotOf('live');
    const { config } = renderSingBox(
      sampleNodes.filter(({ type }) => type !== 'wireguard'),
      engine.target,
    );
    await place.run(engine, overlay(config, slot).text, async (said) => {
      expect(said).toContain(started);
      const right = await ask(slot, 'right', singBox.control.path);
      expect(right.status).toBe(200);
      expect(await right.json()).toMatchObject({ version: `sing-box ${engine.target.version}` });
      expect((await ask(slot, 'wrong', singBox.control.path)).status).toBe(401);
    });
  });

  test('a trial does without the tunnel, and its selector takes the choices', async () => {
    const slot = await slotOf('trial');
    const { config, once: onlyOnce } = renderSingBox(sampleNodes, engine.target);
    const { text, probe, removed } = overlay(config, { ...slot, once: onlyOnce, prefer: ['trojan'] });
    expect(removed).toEqual(missingIn(engine.target).includes('wg') ? [] : ['wg']);
    expect(probe).toMatchObject({
      port: slot.ports['in'],
      choices: { selector: 'auto', members: ['trojan', 'ss', 'ss obfs'] },
    });
    await place.run(engine, text, async () => {
      for (const name of probe?.choices?.members ?? []) {
        const answer = await ask(slot, 'right', '/proxies/auto', { method: 'PUT', body: JSON.stringify({ name }) });
        expect(answer.status).toBe(204);
      }
    });
  });
});

describe('what the engine only notices when it starts', () => {
  const node = { type: 'socks', tag: 'a', server: '192.0.2.1', server_port: 1 };
  const group = (tag: string, ...outbounds: string[]) => ({ type: 'selector', tag, outbounds });
  const cases: readonly (readonly [what: string, config: object])[] = [
    ['a missing member', { outbounds: [group('s', 'a', 'nope'), node] }],
    ['a missing detour', { outbounds: [{ ...node, detour: 'nope' }] }],
    ['a cycle', { outbounds: [group('x', 'y'), group('y', 'x'), node] }],
    ['a missing final', { outbounds: [node], route: { final: 'nope' } }],
    [
      'a missing final DNS server',
      { outbounds: [node], dns: { servers: [{ type: 'local', tag: 'd' }], final: 'nope' } },
    ],
    [
      'a detour of DNS that is missing',
      { dns: { servers: [{ type: 'udp', tag: 'd', server: '192.0.2.1', detour: 'nope' }] } },
    ],
    [
      'a DNS server that waits for itself',
      { dns: { servers: [{ type: 'udp', tag: 'd', server: 'a.test', domain_resolver: 'd' }] } },
    ],
    ['a missing rule-set', { outbounds: [node], route: { rules: [{ rule_set: 'nope', outbound: 'a' }] } }],
    ['a default that is no member', { outbounds: [{ ...group('s', 'a'), default: 'b' }, node, { ...node, tag: 'b' }] }],
  ];

  test.each(cases)('%s is a finding', async (_, config) => {
    expect(place.check(pinned, JSON.stringify(config))).toBeUndefined();
    expect(checkReferences(config)).not.toEqual([]);
    await place.run(pinned, JSON.stringify(config), (said) => {
      expect(said).not.toContain(started);
      expect(singBox.parseCheckOutput(said).message).not.toBe('the engine said nothing');
    });
  });

  test('a doubled port is a finding', async () => {
    const listen_port = await freePort();
    const inbounds = ['a', 'b'].map((tag) => ({ type: 'mixed', tag, listen: '127.0.0.1', listen_port }));
    expect(checkReferences({ inbounds }).map(({ code }) => code)).toEqual(['port.duplicate']);
    await place.run(pinned, JSON.stringify({ inbounds }), (said) => {
      expect(singBox.parseCheckOutput(said).message).toContain('address already in use');
    });
  });
});

test('a request to one node is refused by name, so that a trial can tell', async () => {
  const slot = await slotOf('trial');
  const { config } = renderSingBox([oneNode({})], pinned.target);
  await place.run(pinned, overlay(config, slot).text, async () => {
    const answer = await ask(slot, 'right', '/proxies/auto', {
      method: 'PUT',
      body: JSON.stringify({ name: 'other' }),
    });
    expect(answer.status).toBe(400);
  });
});
