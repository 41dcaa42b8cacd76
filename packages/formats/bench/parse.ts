/**
 * How fast share links become nodes, and what a node weighs: `./scripts/bench parse [--file F] [-o json]`. Without a file
 * 100,000 mixed links are made up. The figure is the best of several runs in one process.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { exit, memoryUsage, versions } from 'node:process';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { parseSubscription, type ParsedSubscription } from '../src/index.ts';

const runs = 5;
const generatedLinks = 100_000;

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

type MakeLink = (n: number) => string;

const uuid: MakeLink = (n) => `7f3c1a52-9d0e-4b6a-8c21-${n.toString(16).padStart(12, '0')}`;
const host: MakeLink = (n) => `n${n % 977}.example.net`;
const name: MakeLink = (n) => encodeURIComponent(`🇳🇱 Node ${n}`);

const makers: readonly MakeLink[] = [
  (n) => `ss://${base64(`aes-256-gcm:secret-${n}`)}@${host(n)}:8388#${name(n)}`,
  (n) =>
    `vmess://${base64(JSON.stringify({ v: '2', ps: `Node ${n}`, add: host(n), port: '443', id: uuid(n), aid: '0', scy: 'auto', net: 'ws', host: host(n), path: '/w?ed=2048', tls: 'tls', sni: host(n) }))}`,
  (n) =>
    `vless://${uuid(n)}@${host(n)}:443?encryption=none&flow=xtls-rprx-vision&security=reality&sni=www.example.org&fp=chrome&pbk=Zm9ybWF0cy1iZW5jaC1wdWJsaWMta2V5LTAxMjM0NTY&sid=0a1b2c3d&type=tcp#${name(n)}`,
  (n) => `trojan://secret-${n}@${host(n)}:443?sni=${host(n)}&type=grpc&serviceName=g${n}#${name(n)}`,
  (n) =>
    `hysteria2://secret-${n}@${host(n)}:443/?sni=${host(n)}&obfs=salamander&obfs-password=mask&mport=20000-30000#${name(n)}`,
  (n) => `tuic://${uuid(n)}:secret-${n}@${host(n)}:443?congestion_control=bbr&alpn=h3&sni=${host(n)}#${name(n)}`,
];

const madeUpLinks = (): string =>
  Array.from({ length: generatedLinks }, (_, n) => makers[n % makers.length]?.(n) ?? '').join('\n');

const parse = (text: string): ParsedSubscription =>
  parseSubscription(text, { sha256, limits: { maxBytes: 1e9, maxNodes: 1e7 } });

interface Memory {
  readonly heap_bytes_per_node: number;
  readonly rss_bytes_per_node: number;
}

/** What the process keeps while the nodes are held; the collector runs before each look, see scripts/bench. */
function weigh(text: string): Memory {
  const look = (): { heap: number; rss: number } => {
    globalThis.gc?.();
    const { heapUsed, external, rss } = memoryUsage();
    return { heap: heapUsed + external, rss };
  };
  const before = look();
  const parsed = parse(text);
  const after = look();
  const perNode = (bytes: number): number => Math.round(bytes / Math.max(1, parsed.nodes.length));
  return {
    heap_bytes_per_node: perNode(after.heap - before.heap),
    rss_bytes_per_node: perNode(after.rss - before.rss),
  };
}

interface Speed {
  readonly links_per_s: number;
  readonly links: number;
  readonly rejected: number;
  readonly ms: number;
}

function time(text: string): Speed[] {
  return Array.from({ length: runs }, () => {
    const start = performance.now();
    const { nodes, rejected } = parse(text);
    const ms = performance.now() - start;
    const links = nodes.length + rejected.length;
    return {
      links_per_s: Math.round((links * 1000) / ms),
      links,
      rejected: rejected.length,
      ms: Math.round(ms),
    };
  });
}

function main(): void {
  const { values } = parseArgs({ options: { file: { type: 'string' }, output: { type: 'string', short: 'o' } } });
  const load = Math.round((loadavg()[0] ?? 0) * 100) / 100;
  const text = values.file === undefined ? madeUpLinks() : readFileSync(values.file, 'utf8');
  // First, while the heap is small: what later runs leave behind would hide it.
  const memory = weigh(text);
  const results = time(text);
  const best = results.toSorted((a, b) => b.links_per_s - a.links_per_s)[0];

  if (values.output === 'json') {
    console.log(JSON.stringify({ ...best, ...memory, machine: { cores: cpus().length, load, node: versions.node } }));
  } else {
    console.table(results);
    console.log(`best of ${runs}: ${best?.links_per_s} links/s`);
    console.log(`a node: ${memory.heap_bytes_per_node} bytes of heap, ${memory.rss_bytes_per_node} bytes of RSS`);
    console.log('peer absent');
    console.log(`must a node, heap < 2048 bytes: ${memory.heap_bytes_per_node < 2048 ? 'reached' : 'NOT REACHED'}`);
    console.log(`${cpus().length} cores, load ${load} at the start, Node ${versions.node}`);
  }
}

try {
  main();
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  exit(2);
}
