import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Origin, startOrigin } from './origin.ts';
import { type Provider, startProvider } from './provider.ts';
import type { ProviderNode } from './provider-nodes.ts';
import { type RunningSingBox, pinnedSingBox, startSingBox } from './sing-box.ts';
import { type TestDirectory, openTestDirectory, processesUnder } from './test-directory.ts';
import { openStreamThrough, requestThrough } from './through-proxy.ts';

const singBox = pinnedSingBox();
let directory: TestDirectory;
let provider: Provider;
let origin: Origin;

beforeAll(async () => {
  directory = openTestDirectory('provider');
  [provider, origin] = await Promise.all([startProvider({ singBox, dir: directory.file('provider') }), startOrigin()]);
});

afterAll(async () => {
  await provider[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
  expect(processesUnder(directory.path)).toEqual([]);
  await directory[Symbol.asyncDispose]();
});

/** A client with one mixed inbound for each node. */
async function startClient(nodes: readonly ProviderNode[]): Promise<RunningSingBox> {
  return await startSingBox({
    singBox,
    dir: directory.file('client'),
    ports: nodes.length,
    config: (ports) => ({
      log: { level: 'info' },
      inbounds: nodes.map(({ type }, at) => ({
        type: 'mixed',
        tag: type,
        listen: '127.0.0.1',
        listen_port: ports[at],
      })),
      outbounds: nodes.map(({ outbound }) => outbound),
      route: { rules: nodes.map(({ type, tag }) => ({ inbound: type, action: 'route', outbound: tag })) },
    }),
  });
}

describe('its nodes', () => {
  test('each carries a request, by SOCKS and by HTTP, to the origin', async () => {
    await using client = await startClient(provider.nodes);
    const before = origin.requestCount;
    for (const proxyPort of client.ports) {
      for (const via of ['socks5', 'http'] as const) {
        expect(await requestThrough({ proxyPort, url: origin.url, via })).toMatchObject({
          status: 200,
          body: 'origin-ok',
        });
        expect((await requestThrough({ proxyPort, url: origin.probeUrl, via })).status).toBe(204);
      }
    }
    expect(origin.requestCount - before).toBe(12);
    // What came must have come through the provider's engine.
    const log = readFileSync(directory.file('provider/sing-box.log'), 'utf8');
    for (const { type } of provider.nodes) expect(log).toMatch(new RegExp(`inbound/${type}.*inbound connection`));
  });

  test('a stream tells when its node goes away, and a node that is back serves again', async () => {
    await using client = await startClient(provider.nodes);
    const proxyPort = client.ports[1] ?? 0;
    using stream = await openStreamThrough({ proxyPort, url: origin.streamUrl });
    await stream.nextBytes();
    expect(stream.isOpen).toBe(true);
    expect(origin.streamCount).toBe(1);
    await provider.stopNodes();
    expect(await stream.closed).not.toBe('');
    expect(stream.isOpen).toBe(false);
    await expect(requestThrough({ proxyPort, url: origin.url, timeoutMs: 2_000 })).rejects.toThrow();
    await provider.startNodes();
    expect((await requestThrough({ proxyPort, url: origin.url })).status).toBe(200);
  });

  test('after a rotation only the new list works', async () => {
    const old = provider.nodes;
    await provider.rotateNodes();
    await using client = await startClient(old.slice(2));
    await expect(
      requestThrough({ proxyPort: client.ports[0] ?? 0, url: origin.url, timeoutMs: 2_000 }),
    ).rejects.toThrow();
    await client[Symbol.asyncDispose]();
    await using renewed = await startClient(provider.nodes);
    expect((await requestThrough({ proxyPort: renewed.ports[2] ?? 0, url: origin.url })).status).toBe(200);
  });

  test('the certificate is self-signed P-256 for the name that the links give', () => {
    const certificate = new X509Certificate(readFileSync(directory.file('provider/certificate.pem')));
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(certificate.checkHost('example.test')).toBe('example.test');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });
});

describe('its subscription', () => {
  beforeEach(() => provider.setBody('good'));

  const lines = async (): Promise<string[]> =>
    (await (await fetch(`${provider.url}?format=plain`)).text()).trim().split('\n');

  test('lists three links and two broken lines, in base64 unless plain is asked for', async () => {
    const plain = await lines();
    expect(plain).toHaveLength(5);
    expect(plain.filter((line) => provider.nodes.some(({ link }) => link === line))).toHaveLength(3);
    const base64 = await (await fetch(provider.url)).text();
    expect(Buffer.from(base64, 'base64').toString().trim().split('\n')).toEqual(plain);
  });

  test('an unchanged list is a 304 to who knows its ETag', async () => {
    const etag = (await fetch(provider.url)).headers.get('etag') ?? '';
    const headers = { 'if-none-match': etag };
    expect((await fetch(provider.url, { headers })).status).toBe(304);
    expect(provider.requests.at(-1)).toMatchObject({ url: '/sub', status: 304, headers });
    provider.setBody('renamed');
    expect((await fetch(provider.url, { headers })).status).toBe(200);
  });

  test('modes change names, secrets, number and sense of the answer', async () => {
    const good = await lines();
    provider.setBody('fewer');
    expect(await lines()).toHaveLength(3);
    provider.setBody('renamed');
    const withoutName = (line: string): string => line.replace(/#.*/, '');
    expect((await lines()).map(withoutName)).toEqual(good.map(withoutName));
    expect(await lines()).not.toEqual(good);
    provider.setBody('wrong-secrets');
    expect((await lines()).filter((line) => good.includes(line))).toHaveLength(2);
    provider.setBody('html');
    expect((await lines())[0]).toBe('<!doctype html>');
    provider.setBody('empty');
    expect(await (await fetch(provider.url)).text()).toBe('');
    provider.setBody('error');
    expect((await fetch(provider.url)).status).toBe(500);
    provider.setBody({ body: 'slow down', status: 429, headers: { 'retry-after': '1' } });
    expect((await fetch(provider.url)).headers.get('retry-after')).toBe('1');
    provider.setBody('hang');
    await expect(fetch(provider.url, { signal: AbortSignal.timeout(100) })).rejects.toThrow(/time/i);
  });

  const control = async (body: string, type = 'application/json'): Promise<Response> =>
    await fetch(provider.controlUrl, { method: 'POST', body, headers: { 'content-type': type } });

  test('another process changes it by the control door', async () => {
    expect((await control('{"mode":"empty"}')).status).toBe(204);
    expect(await (await fetch(provider.url)).text()).toBe('');
  });

  test.each([
    ['an unknown mode', '{"mode":"loud"}', 'application/json', 'wrong-secrets'],
    ['something inherited', '{"mode":"constructor"}', 'application/json', 'wrong-secrets'],
    ['what a web page can send', '{"mode":"html"}', 'text/plain', 'content-type'],
    ['no JSON', '{', 'application/json', 'JSON'],
  ])('the control door refuses %s', async (_name, body, type, reason) => {
    const response = await control(body, type);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(reason);
  });
});
