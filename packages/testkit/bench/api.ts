// What reading the manager's API takes at a fixed rate, with everything on that a request meets. The load is an open loop: each request has its moment, whatever
// became of those before, and is timed from that moment, so a stall counts for every request that it delayed.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { Agent, get, type OutgoingHttpHeaders } from 'node:http';
import { cpus } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { round, runBench, summarize, type Summary } from '../src/bench-report.ts';
import { readProcessUsage } from '../src/process-usage.ts';
import { openTestDirectory, startManagerProcess, startProcess, type ManagerProcess } from '../src/index.ts';

const subscriptions = 100;
const nodesEach = 20;
const servers = 20;
const maxSockets = 64;
const warmUpMs = 2_000;
const requestMs = 10_000;
/** Its own rate limits would end the measurement after a second. */
const manager = { LIMITS_TOKEN: '100000000', LOG_LEVEL: 'warn' };

interface Target {
  readonly url: string;
  readonly pid: number;
  readonly paths: Readonly<Record<string, string>>;
  readonly headers: OutgoingHttpHeaders;
}

interface Answer {
  readonly body: string;
  readonly headers: OutgoingHttpHeaders;
}

const peers = { node: 'bare node:http, same bytes', fastify: 'fastify, same answers' } as const;

/** The server has one core for itself, and the load another: what it waits for is its own work. */
async function pin(pid: number, core: number): Promise<void> {
  if (cpus().length > 1) await promisify(execFile)('taskset', ['-acp', String(core), String(pid)]);
}

async function request({ url, headers }: Target, address: string, agent: Agent): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = get(url + address, { agent, headers, timeout: requestMs }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.once('end', () => {
        if (response.statusCode === 200) resolve({ body, headers: response.headers });
        else reject(new Error(`${address} answered ${response.statusCode}: ${body.slice(0, 200)}`));
      });
    });
    sent
      .once('error', reject)
      .once('timeout', () => sent.destroy(new Error(`${address}: no answer in ${requestMs} ms`)));
  });
}

interface Load {
  readonly rate: number;
  readonly ms: number;
}

/** Milliseconds of each request by the name of its path, in turns. The first failure ends it. */
async function drive(target: Target, { rate, ms }: Load): Promise<Map<string, number[]>> {
  using agent = new (class extends Agent {
    [Symbol.dispose] = (): void => this.destroy();
  })({ keepAlive: true, maxSockets, scheduling: 'lifo' });
  const names = Object.keys(target.paths);
  const times = new Map<string, number[]>(names.map((name) => [name, []]));
  const count = Math.round((rate * ms) / 1000);
  const failed = new AbortController();
  const pending: Promise<void>[] = [];
  const began = performance.now();
  for (let sent = 0; sent < count;) {
    failed.signal.throwIfAborted();
    const due = Math.min(count, Math.floor(((performance.now() - began) * rate) / 1000) + 1);
    for (; sent < due; sent += 1) {
      const name = names[sent % names.length] ?? '';
      const dueMs = began + (sent * 1000) / rate;
      const timed = request(target, target.paths[name] ?? '', agent).then(
        () => void times.get(name)?.push(performance.now() - dueMs),
        (error: unknown) => failed.abort(error),
      );
      pending.push(timed);
    }
    await setTimeout(1);
  }
  await Promise.all(pending);
  failed.signal.throwIfAborted();
  return times;
}

/** As an operator would have them: inline, so that nothing is fetched meanwhile. */
async function fill({ client }: ManagerProcess): Promise<void> {
  for (let n = 0; n < subscriptions; n += 1) {
    const links = Array.from(
      { length: nodesEach },
      (_, at) => `trojan://secret-${n}@n${at}.example.net:443#Node%20${at}`,
    );
    const body = { name: `provider-${n}`, source: { type: 'inline' as const, text: links.join('\n') } };
    await client.subscriptions.add({ body });
  }
  await client.configs.create({ body: { name: 'home', subscriptions: ['provider-1', 'provider-2'] } });
  for (let n = 0; n < servers; n += 1) await client.servers.add({ body: { name: `edge-${n}` } });
}

const peerProgram = path.join(import.meta.dirname, 'api/peer.ts');

async function startPeer(
  kind: keyof typeof peers,
  file: string,
  target: Target,
): Promise<AsyncDisposable & { readonly target: Target }> {
  const running = await startProcess({
    command: process.execPath,
    args: [peerProgram, kind, file],
    readyLine: /^port (\d+)$/,
  });
  return {
    target: { ...target, pid: running.pid, url: `http://127.0.0.1:${running.ready?.[1]}` },
    [Symbol.asyncDispose]: async () => await running[Symbol.asyncDispose](),
  };
}

/** What sbox says to each request of the load, for the peers to say again. */
async function keepAnswers(file: string, target: Target, token: string): Promise<void> {
  const agent = new Agent();
  const answers: Record<string, Answer> = {};
  for (const address of Object.values(target.paths)) answers[address] = await request(target, address, agent);
  await writeFile(file, JSON.stringify({ token, answers }), { mode: 0o600 });
}

interface Measured {
  readonly all: Summary;
  /** Of 10,000 requests the one that 10 are slower than. */
  readonly p999: number;
  readonly requests: Readonly<Record<string, Summary>>;
  /** Processor time of the server for one request. */
  readonly cpu_ms: number;
}

async function measure(target: Target, { rate, seconds }: { rate: number; seconds: number }): Promise<Measured> {
  await pin(target.pid, 0);
  await drive(target, { rate, ms: warmUpMs });
  const before = readProcessUsage(target.pid);
  const times = await drive(target, { rate, ms: seconds * 1000 });
  const usedMs = readProcessUsage(target.pid).cpu_ms - before.cpu_ms;
  const all = [...times.values()].flat();
  return {
    all: summarize(all, 2),
    p999: round(all.toSorted((a, b) => a - b)[Math.ceil(0.999 * all.length) - 1] ?? Number.NaN, 2),
    requests: Object.fromEntries([...times].map(([name, each]) => [name, summarize(each, 2)])),
    cpu_ms: round(usedMs / all.length, 2),
  };
}

const options = {
  rate: { default: 500, summary: 'requests a second, over all paths' },
  seconds: { default: 10, summary: 'how long' },
};

await runBench(options, async ({ rate, seconds }) => {
  await using dir = openTestDirectory('bench-api');
  await using running = await startManagerProcess({ dir: dir.file('manager'), settings: manager });
  await fill(running);
  const { items } = await running.client.subscriptions.list({ query: { limit: 100 } });
  const { token } = await running.client.tokens.create({ body: { name: 'bench', role: 'viewer' } });
  const target: Target = {
    url: running.url,
    pid: running.process.pid,
    headers: { authorization: `Bearer ${token}` },
    paths: {
      'one subscription': `/api/v1/subscriptions/${items[50]?.id}`,
      '100 subscriptions': '/api/v1/subscriptions?limit=100',
      'one config': '/api/v1/configs/home',
      '20 servers': '/api/v1/servers?limit=20',
      '50 events': '/api/v1/events?limit=50',
      status: '/api/v1/status',
    },
  };
  const file = dir.file('answers.json');
  await keepAnswers(file, target, token);
  await pin(process.pid, cpus().length - 1);
  const measured: { server: string; figures: Measured }[] = [
    { server: 'sboxmgr', figures: await measure(target, { rate, seconds }) },
  ];
  for (const [kind, server] of Object.entries(peers) as [keyof typeof peers, string][]) {
    await using peer = await startPeer(kind, file, target);
    measured.push({ server, figures: await measure(peer.target, { rate, seconds }) });
  }
  const ours = measured[0]?.figures as Measured;
  const row = ({ server, figures: { all, p999, cpu_ms } }: (typeof measured)[number]) => ({
    server,
    'p50 ms': all.median,
    'p99 ms': all.p99,
    'p99.9 ms': p999,
    'max ms': all.max,
    'processor ms each': cpu_ms,
    'p99 to sboxmgr': round(all.p99 / ours.all.p99, 2),
  });
  return {
    title: `API at ${rate} mixed reads a second for ${seconds} s, one token, the server on a core of its own`,
    rows: measured.map(row),
    notes: Object.entries(ours.requests).map(
      ([name, { median, p99 }]) => `sboxmgr, ${name}: p50 ${median} ms, p99 ${p99} ms`,
    ),
    peer: 'bare node:http and fastify, each in its own process, after sboxmgr in the same run',
    musts: [{ what: 'p99 of all', value: ours.all.p99, limit: 10, unit: 'ms' }],
    data: { rate, seconds, servers: measured },
  };
});
