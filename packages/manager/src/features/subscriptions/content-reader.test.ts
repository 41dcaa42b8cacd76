import { monitorEventLoopDelay } from 'node:perf_hooks';
import { expect, test } from '@jest/globals';
import { compressJson, decompressJson } from '../../database/compressed.ts';
import { createKeyedQueue } from '../../keyed-queue.ts';
import { createContentReader } from './content-reader.ts';
import { readContent } from './read-content.ts';
import type { Parsed } from './subscriptions-repository.ts';

const read = createContentReader(createKeyedQueue());
const going = new AbortController().signal;
const link = (index: number): string =>
  `trojan://password-${index}@192.0.2.1:${1000 + (index % 60_000)}#Node%20${index}`;
const links = (count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, index) => link(index)).join('\n'));

/** A Clash document of at least so many bytes. */
function clash(minBytes: number): Buffer {
  const proxies: string[] = [];
  for (let size = 0, index = 0; size < minBytes; index += 1) {
    const proxy = `  - {name: "Node ${index}", type: vmess, server: 192.0.2.${index % 250}, port: ${1000 + index}, uuid: 00000000-0000-4000-8000-${String(index).padStart(12, '0')}, alterId: 0, cipher: auto, tls: true, servername: example.test, network: ws, ws-opts: {path: /${index}, headers: {Host: example.test}}}`;
    proxies.push(proxy);
    size += proxy.length + 1;
  }
  return Buffer.from(`proxies:\n${proxies.join('\n')}\n`);
}

test('a thread gives what the main one would', async () => {
  const bytes = links(5000);
  const before = readContent(links(3), undefined);
  const [first] = (decompressJson(before.parsed) as Parsed).nodes;
  const gone = compressJson({ nodes: [...(decompressJson(before.parsed) as Parsed).nodes, { ...first, id: 'gone' }] });
  const there = await read(bytes, gone, going);
  expect(there).toEqual({
    ...readContent(bytes, gone),
    parsed: expect.anything(),
    content: expect.anything(),
  });
  expect(there).toMatchObject({ nodes: 5000, added: 4997, removed: 1 });
  expect(decompressJson(there.parsed)).toEqual(decompressJson(readContent(bytes, gone).parsed));
});

test('what is wrong with a large document comes back as the problem that it is', async () => {
  const page = Buffer.from(`<!doctype html><html>${' '.repeat(300_000)}</html>`);
  await expect(read(page, undefined, going)).rejects.toMatchObject({ code: 'subscription.html' });
});

test('whoever stops does not wait for the thread', async () => {
  const stopping = new AbortController();
  const reading = read(links(20_000), undefined, stopping.signal);
  stopping.abort(new Error('stopping'));
  await expect(reading).rejects.toThrow('stopping');
});

test('5 MB of Clash YAML hold nobody up', async () => {
  const bytes = clash(5 * 1024 * 1024);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  // The first look counts from the start, so that nothing is measured before it.
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.enable();
  const { nodes } = await read(bytes, undefined, going);
  delay.disable();
  expect(nodes).toBeGreaterThan(10_000);
  // 50 ms is what is wanted; a busy machine of two cores takes its own time on top.
  expect(delay.max / 1e6).toBeLessThan(100);
});
