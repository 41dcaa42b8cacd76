import { afterAll, describe, expect, test } from '@jest/globals';
import type { Node } from '@sbox/formats';
import * as fc from 'fast-check';
import { renderSingBox, writeNodes, type EngineTarget, type WrittenNodes } from '../src/sing-box/render.ts';
import { carelessNode } from './arbitrary-nodes.ts';
import { mixedNodes } from './mixed-nodes.ts';
import { createWorkplace, engines, freePort, started } from './real-engine.ts';
import { oneNode } from './sample-nodes.ts';

const place = createWorkplace();
afterAll(() => place.remove());

const target: EngineTarget = {
  engine: 'sing-box',
  version: '1.14.4',
  tags: ['with_quic', 'with_wireguard', 'with_gvisor'],
};
const node = (tag: string, fields: object = {}): Node => oneNode({ id: `n_${tag}`, tag, ...fields });
const shadow_tls = { version: 3, password: 'y', tls: { enabled: true, server_name: 'mask.test' } };
const reasons = ({ left_out }: WrittenNodes) => Object.fromEntries(left_out.map(({ tag, reason }) => [tag, reason]));

describe('a node that dials through another', () => {
  test('names it by the tag that it got', () => {
    const { parts } = writeNodes([node('bcde', { tag: 'a', detour: 'n_a' }), node('a')], target);
    expect(parts.map(({ tag, outbounds }) => [tag, outbounds[0]?.['detour']])).toEqual([
      ['a bcde', 'a'],
      ['a', undefined],
    ]);
  });

  test('is left out with it', () => {
    const far = [node('a', { detour: 'n_b' }), node('b', { detour: 'n_c' }), node('c', { type: 'mieru' }), node('d')];
    const written = writeNodes(far, target);
    expect(written.parts.map(({ tag }) => tag)).toEqual(['d']);
    expect(reasons(written)).toEqual({
      a: 'the node that it dials through is left out',
      b: 'the node that it dials through is left out',
      c: 'sing-box has no mieru',
    });
  });

  test('is left out when the way leads back, and so is who leads there', () => {
    const circle = [node('x', { detour: 'n_a' }), node('a', { detour: 'n_b' }), node('b', { detour: 'n_a' })];
    const self = node('s', { detour: 'n_s' });
    expect(reasons(writeNodes([...circle, self], target))).toEqual({
      x: 'the node that it dials through is left out',
      a: 'the node that it dials through is left out',
      b: 'detour leads back to the node itself',
      s: 'detour leads back to the node itself',
    });
  });

  test('is left out when the other is nowhere', () => {
    expect(reasons(writeNodes([node('a', { detour: 'n_gone' })], target))).toEqual({
      a: 'detour names a node that is not there',
    });
  });

  test('a chain of thousands is no deeper than one', () => {
    const chain = Array.from({ length: 20_000 }, (_, index) => node(`${index}`, { detour: `n_${index + 1}` }));
    expect(writeNodes([...chain, node('20000')], target).left_out).toEqual([]);
  });

  test('may be an endpoint on both ends', () => {
    const key = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
    const peers = [{ address: '192.0.2.1', port: 1, public_key: key, allowed_ips: ['0.0.0.0/0'] }];
    const tunnel = {
      type: 'wireguard',
      password: undefined,
      tls: undefined,
      private_key: key,
      address: ['10.0.0.2/32'],
      peers,
    };
    const { parts } = writeNodes(
      [node('a', { detour: 'n_w' }), node('w', { ...tunnel, detour: 'n_b' }), node('b')],
      target,
    );
    expect(parts.map(({ outbounds, endpoints }) => [...outbounds, ...endpoints][0]?.['detour'])).toEqual([
      'w',
      'b',
      undefined,
    ]);
    expect(reasons(writeNodes([node('w', { ...tunnel, listen_port: 9, detour: 'n_b' }), node('b')], target))).toEqual({
      w: 'listen_port and detour exclude each other',
    });
  });
});

describe('ShadowTLS', () => {
  const ss = { type: 'shadowsocks', method: 'aes-128-gcm', password: 'x', tls: undefined, shadow_tls };

  test('is an outbound of its own, which has the address and how to dial', () => {
    const nodes = [
      node('a', { ...ss, connect_timeout: '3s', detour: 'n_b' }),
      node('b'),
      node('c', { tag: 'a shadowtls' }),
    ];
    expect(writeNodes(nodes, target).parts[0]?.outbounds).toEqual([
      { type: 'shadowsocks', tag: 'a', method: 'aes-128-gcm', password: 'x', detour: 'a shadowtls 2' },
      {
        type: 'shadowtls',
        tag: 'a shadowtls 2',
        server: 'example.test',
        server_port: 443,
        connect_timeout: '3s',
        ...shadow_tls,
        detour: 'b',
      },
    ]);
  });

  test('a node inside that is TLS again keeps the name of its server', () => {
    const [part] = writeNodes([node('a', { tls: { enabled: true }, shadow_tls })], target).parts;
    expect(part?.outbounds[0]).toMatchObject({ server: 'example.test', server_port: 443, detour: 'a shadowtls' });
  });

  test.each([
    [{ type: 'vless', uuid: 'x', transport: { type: 'http' } }, 'transport.type http does not go through ShadowTLS'],
    [{ type: 'vless', uuid: 'x', flow: 'xtls-rprx-vision' }, 'flow does not go through ShadowTLS'],
    [{ type: 'anytls' }, 'anytls does not go through ShadowTLS'],
    [{ type: 'hysteria2' }, 'hysteria2 does not go through ShadowTLS'],
    [{ ...ss, plugin: 'obfs-local' }, 'plugin does not go through ShadowTLS'],
    [{ ...ss, shadow_tls: { ...shadow_tls, password: '' } }, 'shadow_tls.password must not be empty'],
    [
      { ...ss, shadow_tls: { version: 4, tls: shadow_tls.tls } },
      'shadow_tls.version must be a whole number from 1 to 3',
    ],
    [{ ...ss, shadow_tls: { version: 1 } }, 'shadow_tls.tls is missing'],
  ])('%j', (fields, reason) => {
    const bare = 'uuid' in fields ? { password: undefined } : {};
    expect(reasons(writeNodes([node('a', { shadow_tls, ...bare, ...fields })], target))).toEqual({ a: reason });
  });
});

describe('kinds of node', () => {
  const bare = { password: undefined, tls: undefined };

  test.each([
    [{ ...bare, type: 'tuic', version: '4', password: 'token' }, 'sing-box has no TUIC before version 5'],
    [{ ...bare, type: 'snell', version: 3, psk: 'x' }, 'sing-box has no Snell before version 4'],
    [{ ...bare, type: 'snell', version: 6, psk: 'short' }, 'psk must have 12 to 255 characters'],
    [{ ...bare, type: 'wireguard', amnezia: { jc: '4' } }, 'sing-box has no AmneziaWG'],
    [
      { type: 'hysteria', password: undefined, up_mbps: 0, down_mbps: 1 },
      'up_mbps must be a whole number from 1 to 1000000',
    ],
    [
      { type: 'hysteria2', server_ports: ['1:2'], realm: { server_url: 'https://r.test', token: 't', realm_id: 'x' } },
      'server_ports and realm exclude each other',
    ],
  ])('%j', (fields, reason) => {
    expect(reasons(writeNodes([node('a', fields)], target))).toEqual({ a: reason });
  });

  test('snell 5 is 4 on the wire', () => {
    const [part] = writeNodes([node('a', { ...bare, type: 'snell', version: '5', psk: 'x' })], target).parts;
    expect(part?.outbounds[0]).toMatchObject({ version: 4 });
  });

  test('a realm finds the address', () => {
    const realm = { server_url: 'https://r.test', token: 't', realm_id: 'x' };
    const [part] = writeNodes([node('a', { type: 'hysteria2', realm })], target).parts;
    expect(part?.outbounds[0]).toMatchObject({ realm });
    expect(part?.outbounds[0]).not.toHaveProperty('server');
  });

  test('a browser that nobody knows is none', () => {
    const tls = { enabled: true, utls: { enabled: true, fingerprint: 'chrome_999' } };
    const reality = { enabled: true, public_key: 'A'.repeat(43) };
    const { parts } = writeNodes([node('a', { tls }), node('b', { tls: { ...tls, reality } })], {
      ...target,
      tags: ['with_utls'],
    });
    expect(parts.map(({ outbounds }) => outbounds[0]?.['tls'])).toEqual([
      { enabled: true, server_name: 'example.test' },
      { enabled: true, server_name: 'example.test', reality, utls: { enabled: true } },
    ]);
  });
});

test('tags that the document needs are not given to nodes', () => {
  const { parts } = writeNodes([node('a', { id: 'n_abcd', tag: 'DE' })], target, { taken: ['DE'] });
  expect(parts.map(({ tag }) => tag)).toEqual(['DE abcd']);
});

const documentOf = ({ parts }: WrittenNodes, { version }: EngineTarget): string =>
  JSON.stringify({
    ...(version.startsWith('1.11.')
      ? {}
      : { dns: { servers: [{ type: 'local', tag: 'local' }] }, route: { default_domain_resolver: 'local' } }),
    outbounds: parts.flatMap(({ outbounds }) => outbounds),
    endpoints: parts.flatMap(({ endpoints }) => endpoints),
  });

describe.each(engines)('$name', (engine) => {
  test('accepts whatever was not left out', () => {
    fc.assert(
      fc.property(fc.array(carelessNode, { minLength: 150, maxLength: 150 }), (nodes) => {
        const written = writeNodes(nodes, engine.target);
        expect(written.parts.length + written.left_out.length).toBe(nodes.length);
        expect(place.check(engine, documentOf(written, engine.target))).toBeUndefined();
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  test('starts with a rendition of 5,000 nodes', async () => {
    const inbounds = [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: await freePort() } as const];
    const { text, nodes } = renderSingBox(mixedNodes(5000), engine.target, { inbounds, log_level: 'info' });
    expect(nodes.length).toBeGreaterThan(4500);
    await place.run(engine, text, (said) => expect(said).toContain(started));
  });
});
