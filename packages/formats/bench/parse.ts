/**
 * How fast share links become nodes, and what a node weighs: `./scripts/bench parse [--file F] [--links N] [-o json]`.
 * Without a file, links of six protocols are made up. mihomo's converter runs on the same file, in turns with ours, when
 * SBOX_PEER_CONVERTER names the built program of `packages/formats/bench/peer`. Figures are the best of several runs.
 */
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { argv, env, exit, memoryUsage, resourceUsage, versions } from 'node:process';
import { parseArgs } from 'node:util';
import { isMainThread, Worker } from 'node:worker_threads';
import { parseSubscription, type ParsedSubscription } from '../src/index.ts';

const runs = 5;
const minRatio = 1.2;
/** As in the manager's thread that reads large subscriptions. */
const resourceLimits = { maxOldGenerationSizeMb: 4_096, maxYoungGenerationSizeMb: 3 };

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
const sha256Text = (text: string): string => hash('sha256', text, 'binary');
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

const madeUpLinks = (count: number): string =>
  Array.from({ length: count }, (_, n) => makers[n % makers.length]?.(n) ?? '').join('\n');

const parse = (text: string): ParsedSubscription =>
  parseSubscription(text, { sha256, sha256Text, limits: { maxBytes: 1e9, maxNodes: 1e7 } });

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

function timeOurs(text: string): Speed {
  const start = performance.now();
  const { nodes, rejected } = parse(text);
  const ms = performance.now() - start;
  const links = nodes.length + rejected.length;
  return { links_per_s: Math.round((links * 1000) / ms), links, rejected: rejected.length, ms: Math.round(ms) };
}

/** One thread, as ours; its collector of garbage counts against it as ours does. */
function timePeer(program: string, file: string): Pick<Speed, 'links_per_s' | 'links'> {
  const [line = ''] = execFileSync(program, [file, '1'], { encoding: 'utf8', env: { ...env, GOMAXPROCS: '1' } }).split(
    '\n',
  );
  return JSON.parse(line) as Speed;
}

const best = <T extends { readonly links_per_s: number }>(results: readonly T[]): T | undefined =>
  results.toSorted((a, b) => b.links_per_s - a.links_per_s)[0];

interface Results {
  readonly ours: readonly Speed[];
  readonly peer: readonly Pick<Speed, 'links_per_s' | 'links'>[];
}

/** In turns, so that both meet the same load of the machine. */
function race(text: string, givenFile: string | undefined): Results {
  const program = env['SBOX_PEER_CONVERTER'];
  if (program === undefined || program === '')
    return { ours: Array.from({ length: runs }, () => timeOurs(text)), peer: [] };
  const folder = mkdtempSync(path.join(tmpdir(), 'sbox-bench-'));
  try {
    const file = givenFile ?? path.join(folder, 'links.txt');
    if (givenFile === undefined) writeFileSync(file, text);
    const pairs = Array.from({ length: runs }, () => [timeOurs(text), timePeer(program, file)] as const);
    return { ours: pairs.map(([ours]) => ours), peer: pairs.map(([, peer]) => peer) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function main(): void {
  const { values } = parseArgs({
    options: { file: { type: 'string' }, links: { type: 'string' }, output: { type: 'string', short: 'o' } },
  });
  const load = Math.round((loadavg()[0] ?? 0) * 100) / 100;
  const text =
    values.file === undefined ? madeUpLinks(Number(values.links ?? 100_000)) : readFileSync(values.file, 'utf8');
  // First, while the heap is small: what later runs leave behind would hide it.
  const memory = weigh(text);
  const results = race(text, values.file);
  const ours = best(results.ours);
  const peer = best(results.peer);
  const ratio = ours && peer ? Math.round((ours.links_per_s / peer.links_per_s) * 100) / 100 : undefined;
  const peak_rss_mb = Math.round(resourceUsage().maxRSS / 1024);

  if (values.output === 'json') {
    const peers = peer === undefined ? { peer: 'absent' } : { peer: { name: 'mihomo', ...peer }, ratio };
    const machine = { cores: cpus().length, load, node: versions.node };
    console.log(JSON.stringify({ ...ours, peak_rss_mb, ...memory, ...peers, machine }));
    return;
  }
  console.table(results.ours);
  console.log(`best of ${runs}: ${ours?.links_per_s} links/s, peak RSS ${peak_rss_mb} MB`);
  console.log(`a node: ${memory.heap_bytes_per_node} bytes of heap, ${memory.rss_bytes_per_node} bytes of RSS`);
  if (ratio === undefined) console.log('peer absent');
  else {
    console.log(
      `mihomo's converter: ${peer?.links_per_s} links/s, ${peer?.links} of the links; ours is ${ratio} times as fast`,
    );
    console.log(`must >= ${minRatio} times as fast: ${ratio >= minRatio ? 'reached' : 'NOT REACHED'}`);
  }
  console.log(`must a node, heap < 2048 bytes: ${memory.heap_bytes_per_node < 2048 ? 'reached' : 'NOT REACHED'}`);
  console.log(`${cpus().length} cores, load ${load} at the start, Node ${versions.node}`);
}

if (isMainThread) new Worker(new URL(import.meta.url), { argv: argv.slice(2), resourceLimits }).on('error', fail);
else main();

function fail(error: unknown): never {
  console.error(`error: ${(error as Error).message}`);
  exit(2);
}
