// What a GET of the manager's API takes at a fixed rate. The load is an open loop: each request has its moment, whatever
// became of those before, and is timed from that moment, so a stall counts for every request that it delayed.
import { writeFile } from 'node:fs/promises';
import { Agent, get, type OutgoingHttpHeaders } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { round, runBench, summarize, type Summary } from '../src/bench-report.ts';
import { readProcessUsage } from '../src/process-usage.ts';
import { openTestDirectory, startManagerProcess, startProcess, type ManagerProcess } from '../src/index.ts';

const subscriptions = 100;
const nodesEach = 20;
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

/** Bare node:http that says the same bytes: what a request costs here without anything of ours. */
const peerProgram = `
const answers = JSON.parse(require('node:fs').readFileSync(process.argv[1], 'utf8'));
require('node:http')
  .createServer((request, response) => {
    const { headers, body } = answers[request.url];
    response.writeHead(200, headers).end(body);
  })
  .listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port); });`;

async function request({ url, headers }: Target, path: string, agent: Agent): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = get(url + path, { agent, headers, timeout: requestMs }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.once('end', () => {
        if (response.statusCode === 200) resolve({ body, headers: response.headers });
        else reject(new Error(`${path} answered ${response.statusCode}: ${body.slice(0, 200)}`));
      });
    });
    sent.once('error', reject).once('timeout', () => sent.destroy(new Error(`${path}: no answer in ${requestMs} ms`)));
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
}

async function startPeer(file: string, target: Target): Promise<AsyncDisposable & { readonly target: Target }> {
  const agent = new Agent();
  const answers: Record<string, Answer> = {};
  for (const path of Object.values(target.paths)) answers[path] = await request(target, path, agent);
  await writeFile(file, JSON.stringify(answers));
  const running = await startProcess({
    command: process.execPath,
    args: ['-e', peerProgram, file],
    readyLine: /^port (\d+)$/,
  });
  return {
    target: { ...target, pid: running.pid, url: `http://127.0.0.1:${running.ready?.[1]}` },
    [Symbol.asyncDispose]: async () => await running[Symbol.asyncDispose](),
  };
}

interface Measured {
  readonly all: Summary;
  readonly requests: Readonly<Record<string, Summary>>;
  /** Processor time of the server for one request. */
  readonly cpu_ms: number;
}

async function measure(target: Target, { rate, seconds }: { rate: number; seconds: number }): Promise<Measured> {
  await drive(target, { rate, ms: warmUpMs });
  const before = readProcessUsage(target.pid);
  const times = await drive(target, { rate, ms: seconds * 1000 });
  const usedMs = readProcessUsage(target.pid).cpu_ms - before.cpu_ms;
  const all = [...times.values()].flat();
  return {
    all: summarize(all, 2),
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
  const { token } = await running.client.tokens.create({
    body: { name: 'bench', permissions: ['subscriptions:read'] },
  });
  const target: Target = {
    url: running.url,
    pid: running.process.pid,
    headers: { authorization: `Bearer ${token}` },
    paths: {
      one: `/api/v1/subscriptions/${items[50]?.id}`,
      list: '/api/v1/subscriptions?limit=100',
    },
  };
  await using peer = await startPeer(dir.file('answers.json'), target);
  const ours = await measure(target, { rate, seconds });
  const theirs = await measure(peer.target, { rate, seconds });
  const labels: Record<string, string> = { one: 'GET one subscription', list: `GET list of ${items.length}` };
  const row = (name: string, server: string, { median, p99, max }: Summary) => ({
    request: labels[name] ?? name,
    server,
    'p50 ms': median,
    'p99 ms': p99,
    'max ms': max,
  });
  return {
    title: `API at ${rate} requests/s for ${seconds} s, ${subscriptions} subscriptions in SQLite, one token`,
    rows: Object.keys(labels).flatMap((name) => [
      row(name, 'sboxmgr', ours.requests[name] ?? ours.all),
      row(name, 'bare node:http, same bytes', theirs.requests[name] ?? theirs.all),
    ]),
    notes: [`processor time: sboxmgr ${ours.cpu_ms} ms a request, bare node:http ${theirs.cpu_ms} ms`],
    peer: 'bare node:http, in its own process, after it in the same run',
    musts: [{ what: 'p99 of all', value: ours.all.p99, limit: 10, unit: 'ms' }],
    data: { rate, seconds, subscriptions, ...ours, peer: theirs },
  };
});
