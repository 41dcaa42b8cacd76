// One strategy under load: so many reloads of a real engine by a real agent, and what somebody behind it noticed.
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentProgram, LocalStatus } from '../../src/agent-process.ts';
import { round, summarize, type Summary } from '../../src/bench-report.ts';
import { createBundleSigner, type SignedUnit } from '../../src/bundle-signer.ts';
import { startBundledServer, type BundledServer } from '../../src/bundled-server.ts';
import { freePorts } from '../../src/free-ports.ts';
import { startLoad, type Load } from '../load/start-load.ts';
import { startProvider } from '../../src/provider.ts';
import { pinnedSingBox } from '../../src/sing-box.ts';
import { openTestDirectory } from '../../src/test-directory.ts';
import { clientConfig } from './client-config.ts';
import type { ReloadConfig, StrategyCase } from './strategies.ts';

export interface ReloadJob {
  readonly strategy: StrategyCase;
  readonly config: ReloadConfig;
  readonly reloads: number;
  readonly program: AgentProgram;
}

export interface ReloadResult {
  readonly strategy: string;
  readonly config: ReloadConfig;
  readonly reloads: number;
  readonly requests: number;
  readonly lost: number;
  readonly streams_cut: number;
  /** The longest that a request waited for its answer, lost ones counted until the next answer. */
  readonly gap_ms: number;
  readonly latency_ms: { readonly median: number; readonly p99: number };
  /** From handing the order over until the new version serves. */
  readonly serving_ms: number;
  readonly serving_all_ms: Summary;
  /** Those of each reload that lost some: when the first and the last one were due after the order, and why. */
  readonly losses: readonly ReloadLoss[];
}

interface ReloadLoss {
  readonly reload: number;
  readonly lost: number;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly why: readonly string[];
}

const streams = 20;
/** At 100 requests a second at least 1,500 of them in 15 reloads. */
const paceMs = 1200;
const settleMs = 500;
const pollMs = 10;
const takeOverMs = 30_000;

export async function measureReloads({ strategy, config, reloads, program }: ReloadJob): Promise<ReloadResult> {
  await using dir = openTestDirectory(`bench-reload-${strategy.name}`);
  const provider = await startProvider({ singBox: pinnedSingBox(), dir: dir.file('provider') });
  await using _provider = provider;
  const [proxyPort = 0] = await freePorts(1);
  await using load = await startLoad({ proxyPort, requestsPerSecond: 100, streams, lostAfterMs: 5000 });
  const { probeUrl } = load.origin;
  const signer = createBundleSigner({ urls: [probeUrl], expect: [204], need: 1, timeout_ms: 2000 });
  const unitOf = (turn: number): SignedUnit => ({
    reload: strategy.reload,
    config: clientConfig({
      size: config,
      port: proxyPort,
      node: provider.nodes[0]?.outbound ?? {},
      version: strategy.change === 'node' ? turn : 0,
      chosen: strategy.change === 'choice' && turn % 2 === 1 ? 1 : 0,
      hasSelector: strategy.hasSelector,
    }),
  });
  await using server = await startBundledServer({
    dir: dir.file(),
    settings: strategy.settings,
    program,
    signer,
    units: [unitOf(0)],
  });
  await load.run();
  await sleep(settleMs);
  const begun: number[] = [];
  const servingMs: number[] = [];
  for (let turn = 1; turn <= reloads; turn += 1) {
    begun.push(Date.now());
    const turnMs = performance.now();
    servingMs.push(await reloadOnce(server, unitOf(turn), strategy));
    await sleep(Math.max(0, paceMs - (performance.now() - turnMs)));
  }
  await sleep(settleMs);
  const report = await load.end();
  return {
    strategy: strategy.name,
    config,
    reloads,
    requests: report.requests,
    lost: report.lost,
    streams_cut: report.streamsCut,
    gap_ms: round(report.gapMs),
    latency_ms: { median: round(report.latencyMs.median), p99: round(report.latencyMs.p99) },
    serving_ms: summarize(servingMs).median,
    serving_all_ms: summarize(servingMs),
    losses: lossesOf(load, begun),
  };
}

/** Milliseconds from the hand-over until it serves. @throws when it was taken in another way than this strategy */
async function reloadOnce(server: BundledServer, unit: SignedUnit, strategy: StrategyCase): Promise<number> {
  const beganMs = performance.now();
  const generation = await server.order([unit]);
  let status: LocalStatus;
  do {
    await sleep(pollMs);
    status = await server.agent.local.status();
    if (status.nack?.generation === generation) throw new Error(`refused: ${status.nack.code}: ${status.nack.message}`);
    if (performance.now() - beganMs > takeOverMs) throw new Error(`not serving: ${JSON.stringify(status)}`);
  } while (status.running?.generation !== generation);
  const servingMs = performance.now() - beganMs;
  const { units } = await server.untilCommitted(generation);
  const reload = units[0]?.reload;
  if (reload?.strategy !== strategy.strategy)
    throw new Error(`${strategy.name} was asked for, and it was ${reload?.strategy ?? 'not said'}: ${why(reload)}`);
  return servingMs;
}

const why = (reload: LocalStatus['units'][number]['reload']): string =>
  reload?.refused.map(({ strategy, why: reason }) => `${strategy}: ${reason}`).join('; ') ?? '';

const lossesOf = (load: Load, begun: readonly number[]): ReloadLoss[] =>
  begun.flatMap((began, index) => {
    const ends = begun[index + 1] ?? Infinity;
    const lost = load.lost.filter(({ at }) => at >= began && at < ends);
    const [first, last] = [lost[0], lost.at(-1)];
    if (first === undefined || last === undefined) return [];
    return {
      reload: index + 1,
      lost: lost.length,
      from_ms: round(first.at - began),
      to_ms: round(last.at - began),
      why: [...new Set(lost.map(({ why: reason }) => reason))],
    };
  });
