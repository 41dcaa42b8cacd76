// Memory and processor time of the agent as it is shipped, beside a manager and a real engine that carries traffic.
import { setTimeout } from 'node:timers/promises';
import { buildAgent } from '../src/agent-bundle.ts';
import { round, runBench, summarize } from '../src/bench-report.ts';
import { readProcessUsage, type ProcessUsage } from '../src/process-usage.ts';
import { openTestDirectory, startFleet, startProcess, type Fleet } from '../src/index.ts';

const readEveryMs = 5_000;
const requestEveryMs = 100;
const settleMs = 5_000;
const publishes = 20;

/** As on a server, where tests are quicker; and everything on that can be turned on. */
const settings = {
  SYNC_RETRY_BASE: '1s',
  SYNC_RETRY_CAP: '60s',
  SYNC_POLL: '60s',
  IMPORT_SETTLE: '1s',
  API_ENABLED: 'true',
  API_PORT: '0',
  API_SECURITY_AUTH_TOKEN: 'a-token-for-the-benchmark',
};

/**
 * What loads the parts that only work loads: several versions, and what a monitoring system asks for. Waits at the
 * manager's side, because each question to the agent costs it memory that no server spends.
 */
async function work(fleet: Fleet): Promise<void> {
  const { agent, provider, manager } = fleet;
  for (let turn = 1; turn <= publishes; turn += 1) {
    provider.setBody({ body: provider.nodes.map(({ link }) => `${link}%20v${turn}`).join('\n') });
    await manager.client.subscriptions.refresh({ params: { id: 'provider' } });
    await fleet.untilServer('on the new version', ({ status }) => status?.committed?.generation === turn + 1);
    await agent.local.metrics();
  }
}

/** Requests through the proxy until the signal; answers how many got through and how many did not. */
async function traffic(fleet: Fleet, signal: AbortSignal): Promise<{ ok: number; failed: number }> {
  const count = { ok: 0, failed: 0 };
  while (!signal.aborted) {
    await fleet.request().then(
      () => (count.ok += 1),
      () => (count.failed += 1),
    );
    await setTimeout(requestEveryMs);
  }
  return count;
}

/** Readings of each process over the same time, the first and the last at its ends. */
async function watch(pids: readonly number[], ms: number): Promise<ProcessUsage[][]> {
  const readings = pids.map((pid) => [readProcessUsage(pid)]);
  const ends = performance.now() + ms;
  while (performance.now() < ends) {
    await setTimeout(Math.min(readEveryMs, ends - performance.now()));
    for (const [at, pid] of pids.entries()) readings[at]?.push(readProcessUsage(pid));
  }
  return readings;
}

function figures(readings: readonly ProcessUsage[], ms: number) {
  const [first, last] = [readings[0], readings.at(-1)];
  const all = (name: keyof ProcessUsage): number[] => readings.map((reading) => reading[name]);
  return {
    rss_mb: round(last?.rss_mb ?? Number.NaN),
    anon_mb: round(last?.anon_mb ?? Number.NaN),
    anon_max_mb: summarize(all('anon_mb')).max,
    anon_growth_mb: round((last?.anon_mb ?? 0) - (first?.anon_mb ?? 0)),
    cpu_percent: round((((last?.cpu_ms ?? 0) - (first?.cpu_ms ?? 0)) / ms) * 100, 3),
  };
}

const options = {
  minutes: { default: 1, summary: 'how long it is watched while idle' },
  bundle: { default: '', summary: 'a bundle of the agent; without it one is built' },
};

await runBench(options, async ({ minutes, bundle }) => {
  await using dir = openTestDirectory('bench-agent');
  const agentProgram = await buildAgent(dir.path, bundle);
  await using fleet = await startFleet({ agent: settings, agentProgram, manager: { LIMITS_TOKEN: '1000000' } });
  await using bare = await startProcess({
    command: process.execPath,
    args: ['-e', 'setInterval(() => {}, 2 ** 30)'],
    env: agentProgram.environment ?? {},
  });
  await work(fleet);
  const ending = new AbortController();
  const sent = traffic(fleet, ending.signal);
  await setTimeout(settleMs);
  const ms = minutes * 60_000;
  const [agentReadings = [], bareReadings = []] = await watch([fleet.agent.process.pid, bare.pid], ms);
  ending.abort();
  const { ok, failed } = await sent;
  if (failed > 0 || ok === 0) throw new Error(`${failed} of ${ok + failed} requests did not get through`);

  const both = { agent: figures(agentReadings, ms), peer: figures(bareReadings, ms) };
  const title = [
    `agent, production bundle, after ${publishes} publishes; watched for ${minutes} min, heartbeat 30 s,`,
    `${ok} requests through its engine, local API on`,
  ].join(' ');
  return {
    title,
    rows: Object.entries(both).map(([who, figure]) => ({
      process: who === 'agent' ? 'sboxagent' : 'bare node, same flags',
      'VmRSS MB': figure.rss_mb,
      'RssAnon MB': figure.anon_mb,
      'RssAnon max MB': figure.anon_max_mb,
      'growth MB': figure.anon_growth_mb,
      'CPU %': figure.cpu_percent,
    })),
    peer: 'bare node of the same version, in the same minutes',
    musts: [
      { what: 'RssAnon, largest,', value: both.agent.anon_max_mb, limit: 40, unit: 'MB' },
      { what: 'idle CPU', value: both.agent.cpu_percent, limit: 0.2, unit: '% of a core' },
    ],
    data: { minutes, requests: ok, ...both.agent, peer: both.peer },
  };
});
