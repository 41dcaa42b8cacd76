// A server under traffic for an hour, with publishes, kills, network cuts and a full disk in an order that a seed decides:
// requests lost outside of what was done to it, memory and files over the time, and what is left running afterwards.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildAgent } from '../src/agent-bundle.ts';
import { round, runBench } from '../src/bench-report.ts';
import { openTestDirectory, processesUnder, startFleet } from '../src/index.ts';
import { startLoad } from './load/start-load.ts';
import { isInOwnNetwork } from './network/own-network.ts';
import { createRandom } from '../src/random.ts';
import { tablesLeft } from './network/cut-port.ts';
import { runSoak } from './soak/run-soak.ts';
import { trendOf, type Sample } from './soak/samples.ts';

const options = {
  minutes: { default: 60, summary: 'how long' },
  seed: { default: 1, summary: 'which order of events' },
  rate: { default: 20, summary: 'requests a second' },
  streams: { default: 10, summary: 'endless downloads' },
  swap: { default: 'auto', summary: "the agent's setting: auto (nftables) or front; with off reloads cost requests" },
  trace: {
    default: path.join(tmpdir(), 'sbox-soak'),
    summary: 'a directory for the trace, and for logs when something went wrong',
  },
  bundle: { default: '', summary: 'a bundle of the agent; without it one is built' },
};

const drainMs = 15_000;
/** Shorter ones say nothing about memory: a heap grows to its size first. */
const judgedMinutes = 10;

/** Of the second half, in which the agent is not killed, without the time in which it grows to its size. */
const settled = (samples: readonly Sample[], ms: number): readonly Sample[] =>
  samples.filter(({ atMs }) => atMs >= ms / 2 + Math.min(300_000, ms / 8));

/** A state directory that can be filled without hurting anybody else; false where a mount is not allowed. */
function mountSmall(directory: string): boolean {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m,mode=0700', 'tmpfs', directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

if (await isInOwnNetwork())
  await runBench(options, async ({ minutes, seed, rate, streams, swap, trace, bundle }) => {
    const say = (text: string): void => console.error(text);
    await using dir = openTestDirectory('bench-soak');
    const agentProgram = await buildAgent(dir.path, bundle);
    let canFill = false;
    await using fleet = await startFleet({
      watch: '1s',
      agentProgram,
      agent: {
        APPLY_SWAP: swap,
        APPLY_DRAIN: `${drainMs / 1000}s`,
        APPLY_RETRY: '["2s","5s"]',
        SYNC_RETRY_CAP: '2s',
        ENGINE_STOP_ON_EXIT: 'true',
      },
      manager: { LIMITS_TOKEN: '1000000', LIMITS_AGENT: '1000000' },
      prepareAgent: (agentDir) => {
        const state = path.join(agentDir, 'state');
        canFill = mountSmall(state);
        return canFill ? () => void execFileSync('umount', ['--lazy', state]) : undefined;
      },
    });
    await using load = await startLoad({
      proxyPort: fleet.proxyPort,
      requestsPerSecond: rate,
      streams,
      lostAfterMs: 5000,
    });
    await load.run();
    const world = { fleet, load, random: createRandom(seed), turn: 0, canFill, isFront: swap === 'front' };
    const result = await runSoak({ world, ms: minutes * 60_000, traceDir: path.resolve(trace), say });
    const report = await load.end();
    await sleep(drainMs + 5000);
    const stateDir = fleet.dir.file('agent/state');
    const { items } = await fleet.agent.local.processes();
    fleet.agent.process.kill('SIGTERM');
    await fleet.agent.process.exited;
    const left = processesUnder(stateDir).map(({ command }) => command);

    const samples = settled(result.samples, minutes * 60_000);
    const series = (name: keyof Sample) => samples.map((sample) => sample[name]);
    const trends = {
      agent_anon_mb: trendOf(series('agentAnonMb'), (first) => Math.max(first / 10, 2)),
      agent_fds: trendOf(series('agentFds'), () => 3),
      engine_anon_mb: trendOf(series('engineAnonMb'), (first) => Math.max(first / 4, 10)),
      engine_fds: trendOf(series('engineFds'), (first) => Math.max(first / 2, 20)),
      engines: trendOf(series('engines'), () => 1),
    };
    const growing = minutes < judgedMinutes ? [] : Object.entries(trends).filter(([, trend]) => !trend.is_flat);
    const bad = result.lostOutside.length + result.problems.length + left.length + growing.length;
    if (bad > 0) process.exitCode = 1;
    for (const words of [...result.lostOutside, ...result.problems]) say(words);
    return {
      title: `${minutes} min with seed ${seed}: ${report.requests} requests, ${streams} streams, trace in ${trace}`,
      rows: Object.entries(trends).map(([what, { first, last, max, is_flat: isFlat }]) => ({
        what,
        'first third': round(first),
        'last third': round(last),
        max: round(max),
        flat: isFlat ? 'yes' : 'NO',
      })),
      notes: [
        `flat: of the second half, the medians of its first and last third; judged from ${judgedMinutes} min on`,
        `events ${JSON.stringify(result.events)}`,
        `reloads ${JSON.stringify(result.strategies)}`,
        `lost in faults ${result.lostInFaults}, tables of nftables left ${tablesLeft().length}, streams cut ${report.streamsCut}, drained after ${drainMs / 1000} s`,
      ],
      musts: [
        { what: 'requests lost outside faults', value: result.lostOutside.length, limit: 1, unit: 'requests' },
        { what: 'processes left', value: left.length, limit: 1, unit: 'processes' },
        { what: 'figures that grow', value: growing.length, limit: 1, unit: 'figures' },
        { what: 'events without rest afterwards', value: result.problems.length, limit: 1, unit: 'events' },
      ],
      data: {
        minutes,
        seed,
        swap,
        requests: report.requests,
        lost_outside: result.lostOutside.length,
        lost_in_faults: result.lostInFaults,
        losses_outside: result.lostOutside.slice(0, 100),
        problems: result.problems.slice(0, 20),
        streams_cut: report.streamsCut,
        latency_ms: report.latencyMs,
        events: result.events,
        reloads: result.strategies,
        trends,
        engines_at_the_end: items.length,
        processes_left: left,
        tables_left: tablesLeft(),
      },
    };
  });
