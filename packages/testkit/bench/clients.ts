// What clients cost that take their config at /sub: many of them, each with a link of its own, all of one config. The manager
// is held to one core, the load comes from the other.
import { execFileSync } from 'node:child_process';
import { Agent, get } from 'node:http';
import { availableParallelism } from 'node:os';
import { round, runBench, summarize, type Summary } from '../src/bench-report.ts';
import { readProcessUsage } from '../src/process-usage.ts';
import { openTestDirectory, startManagerProcess, type ManagerProcess } from '../src/index.ts';

const nodes = 200;
const connections = 32;
const createdAtOnce = 16;
const warmUpMs = 3_000;
const settings = { LIMITS_SUB: '100000000', LIMITS_TOKEN: '100000000', LOG_LEVEL: 'warn' };

interface Kind {
  readonly name: string;
  readonly end: string;
  readonly headers: Readonly<Record<string, string>>;
}

const kinds: readonly Kind[] = [
  { name: 'base64', end: '', headers: { 'user-agent': 'v2rayNG/1.9.0' } },
  { name: 'clash', end: '', headers: { 'user-agent': 'clash-verge/v2.0.0' } },
  { name: 'sing-box', end: '', headers: { 'user-agent': 'SFA/1.14.4 (1; sing-box 1.14.4)' } },
  { name: 'base64, with a device', end: '', headers: { 'user-agent': 'v2rayNG/1.9.0', 'x-hwid': 'device-1' } },
  { name: 'page', end: '', headers: { accept: 'text/html' } },
];

async function fill({ client }: ManagerProcess, clients: number): Promise<readonly string[]> {
  const links = Array.from(
    { length: nodes },
    (_, at) => `trojan://example-password@n${at}.example.net:443#Node%20${at}`,
  );
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text: links.join('\n') } } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const made: string[] = [];
  while (made.length < clients) {
    const first = made.length;
    const batch = Array.from({ length: Math.min(createdAtOnce, clients - first) }, async (_, at) => {
      const body = { name: `client-${first + at}`, config: 'home', hwid: { mode: 'optional' as const } };
      return (await client.clients.create({ body })).link ?? '';
    });
    made.push(...(await Promise.all(batch)));
  }
  return made;
}

async function ask(url: string, headers: Kind['headers'], agent: Agent): Promise<number> {
  return await new Promise((resolve, reject) => {
    const sent = get(url, { agent, headers }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.once('end', () => {
        if (response.statusCode === 200) resolve(bytes);
        else reject(new Error(`answered ${response.statusCode}`));
      });
    });
    sent.once('error', reject);
  });
}

interface Driven {
  readonly times: number[];
  readonly seconds: number;
  readonly bytes: number;
}

/** As many at once as there are connections, each client in its turn. */
async function drive(links: readonly string[], { end, headers }: Kind, ms: number): Promise<Driven> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  const began = performance.now();
  let [next, bytes] = [0, 0];
  const worker = async (): Promise<void> => {
    while (performance.now() - began < ms) {
      const link = links[next++ % links.length] ?? '';
      const sent = performance.now();
      bytes = await ask(`${link}${end}`, headers, agent);
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  return { times, seconds: (performance.now() - began) / 1000, bytes };
}

function holdToOneCore(pid: number): boolean {
  if (availableParallelism() < 2) return false;
  execFileSync('taskset', ['-a', '-cp', '0', String(pid)], { stdio: 'ignore' });
  execFileSync('taskset', ['-a', '-cp', '1', String(process.pid)], { stdio: 'ignore' });
  return true;
}

const options = {
  clients: { default: 1_000, summary: 'how many clients there are' },
  seconds: { default: 5, summary: 'how long, for each kind of request' },
};

await runBench(options, async ({ clients, seconds }) => {
  await using dir = openTestDirectory('bench-clients');
  await using running = await startManagerProcess({ dir: dir.file('manager'), settings });
  const links = await fill(running, clients);
  const { pid } = running.process;
  const isHeld = holdToOneCore(pid);
  const rows: { readonly kind: Kind; readonly all: Summary; readonly driven: Driven; readonly cpuMs: number }[] = [];
  for (const kind of kinds) {
    await drive(links, kind, warmUpMs);
    const before = readProcessUsage(pid);
    const driven = await drive(links, kind, seconds * 1000);
    const cpuMs = (readProcessUsage(pid).cpu_ms - before.cpu_ms) / driven.times.length;
    rows.push({ kind, all: summarize(driven.times, 2), driven, cpuMs });
  }
  return {
    title: `${clients} clients of one config with ${nodes} nodes, ${connections} connections, ${isHeld ? 'the manager on one core' : 'on one core with the load'}`,
    rows: rows.map(({ kind, all, driven, cpuMs }) => ({
      request: kind.name,
      bytes: driven.bytes,
      'requests/s': Math.round(driven.times.length / driven.seconds),
      'p50 ms': all.median,
      'p99 ms': all.p99,
      'max ms': all.max,
      'cpu ms': round(cpuMs, 2),
    })),
    notes: ['as fast as the manager answers: the times are those of a full queue'],
    musts: [
      {
        what: 'processor time of one with base64',
        value: round(rows[0]?.cpuMs ?? Number.NaN, 2),
        limit: 2,
        unit: 'ms',
      },
    ],
    data: { clients, seconds, rows: rows.map(({ kind, all, cpuMs }) => ({ kind: kind.name, ...all, cpuMs })) },
  };
});
