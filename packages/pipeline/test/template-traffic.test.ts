import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { composeSingBox, remoteRuleSets } from '@sbox/engines/sing-box/render';
import type { Node } from '@sbox/formats';
import { fillTemplate, readyTemplate, type ParamValues } from '../src/index.ts';
import { createWorkplace, engines, freePort, started } from './real-engines.ts';

const place = createWorkplace();
const file = { path: 'rule-sets/listed.srs', digest: 'sha256:00', size: 1 };

/** A node and an origin: a proxy that answers by itself, so that the answer says which way a request went. */
const node = createServer();
node.on('connect', (_, socket: Socket) => {
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnode'));
});
const origin = createServer((_, response) => response.end('origin'));

const listening = async (server: Server): Promise<number> => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
};

let viaNode: Node;
let originPort: number;
beforeAll(async () => {
  place.compileRuleSet(file.path, { domain_suffix: ['listed.test'] });
  originPort = await listening(origin);
  viaNode = { id: 'n_a', tag: 'a', type: 'http', server: '127.0.0.1', server_port: await listening(node) };
});
afterAll(() => {
  node.close();
  origin.close();
  place.remove();
});

/** `node`, `origin`, or `refused`. */
function way(port: number, url: string): Promise<string> {
  return new Promise((resolve) => {
    // A connection of its own: the engine ends one that it refuses.
    const options = { host: '127.0.0.1', port, path: url, headers: { host: new URL(url).host }, agent: false };
    const asked = request(options, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += String(chunk)));
      response.on('end', () => resolve(response.statusCode === 200 ? body : 'refused'));
    });
    asked.on('error', () => resolve('refused'));
    asked.end();
  });
}

const cases: readonly (readonly [name: string, params: ParamValues, listed: string, other: string])[] = [
  ['mixed', {}, 'node', 'node'],
  ['adblock', {}, 'refused', 'node'],
  ['rule-routing', { regions: ['ir'], proxy_domains: ['www.listed.test'] }, 'node', 'node'],
  ['rule-routing', { mode: 'blocked-only', regions: ['ru'] }, 'node', 'refused'],
  ['mixed', { block_domains: ['listed.test'] }, 'refused', 'node'],
];

describe.each(engines)('$name', (engine) => {
  test.each(cases)('%s with %j: what is listed gives %s, the rest %s', async (name, params, listed, other) => {
    const template = readyTemplate(name);
    if (template === undefined) throw new Error(name);
    const port = await freePort();
    // The domain of the second kind cannot be found by anybody: going out directly, it is refused.
    const skeleton = fillTemplate(template, { ...params, port, lan_direct: true, urltest_url: 'http://urltest.test/' });
    const rule_sets = new Map(remoteRuleSets(skeleton).map(({ url }) => [url, file]));
    const { text } = composeSingBox({ skeleton, nodes: [viaNode], rule_sets }, engine.target);
    const child = place.start(engine, text.replace('"level": "warn"', '"level": "info"'));
    const ended = once(child, 'exit');
    try {
      await started(child);
      expect(await way(port, `http://127.0.0.1:${originPort}/`)).toBe('origin');
      expect(await way(port, 'http://www.listed.test/')).toBe(listed);
      expect(await way(port, 'http://other.invalid/')).toBe(other);
    } finally {
      child.kill();
      await ended;
    }
  });
});
