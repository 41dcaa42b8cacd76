// A fleet under traffic to which one thing after another happens; every lost request must have a fault that explains it.
import { appendFileSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalStatus } from '../../src/agent-process.ts';
import type { Fleet } from '../../src/fleet.ts';
import type { Load } from '../load/start-load.ts';
import { processesUnder } from '../../src/test-directory.ts';
import { chooseFault, mayLoseAfterMs, type Fault, type SoakWorld } from './faults.ts';
import { takeSample, type Sample } from './samples.ts';

export interface SoakOptions {
  readonly world: SoakWorld;
  readonly ms: number;
  /** Gets the trace, and the logs when something went wrong. */
  readonly traceDir: string;
  readonly say: (text: string) => void;
}

interface Window {
  readonly fault: string;
  readonly fromMs: number;
  untilMs: number;
}

export interface SoakResult {
  readonly events: Readonly<Record<string, number>>;
  readonly strategies: Readonly<Record<string, number>>;
  readonly samples: readonly Sample[];
  readonly lostInFaults: number;
  readonly lostOutside: readonly string[];
  /** What did not come to rest in time, and what failed. */
  readonly problems: readonly string[];
}

const sampleEveryMs = 2000;
const restMs = 60_000;
/** A request that is due just before a fault may still wait for its answer when it begins. */
const slackMs = 50;

export async function runSoak({ world, ms, traceDir, say }: SoakOptions): Promise<SoakResult> {
  const { fleet, load, random } = world;
  mkdirSync(traceDir, { recursive: true });
  rmSync(path.join(traceDir, 'trace.ndjson'), { force: true });
  const trace = createTrace(path.join(traceDir, 'trace.ndjson'));
  const windows: Window[] = [];
  const problems: string[] = [];
  const events = new Map<string, number>();
  const strategies = new Map<string, number>();
  const beganMs = Date.now();
  await using watch = startWatch({
    fleet,
    load,
    beganMs,
    say,
    trace,
    strategies,
    outside: () => lossesOutside().length,
  });
  const lossesOutside = (): Load['lost'] => load.lost.filter((loss) => !isExplained(loss, windows));

  while (Date.now() - beganMs < ms) {
    // In the second half it lives on, so that its memory can be followed.
    const fault = chooseFault(random, Date.now() - beganMs < ms / 2);
    events.set(fault.name, (events.get(fault.name) ?? 0) + 1);
    const problem = await sufferOnce(world, fault, windows, trace);
    if (problem !== undefined) problems.push(problem);
    await sleep(1000 + random() * 4000);
  }
  // The last answers, and what still drains.
  await sleep(slackMs);
  const outside = lossesOutside();
  for (const loss of load.lost) trace({ what: 'lost', ...loss, explained: isExplained(loss, windows) });
  if (outside.length > 0 || problems.length > 0)
    for (const log of ['agent/agent.log', 'manager.log', 'agent/state/logs/main.log'])
      try {
        copyFileSync(fleet.dir.file(log), path.join(traceDir, path.basename(log)));
      } catch {
        // It was never written.
      }
  return {
    events: Object.fromEntries(events),
    strategies: Object.fromEntries(strategies),
    samples: watch.samples,
    lostInFaults: load.lost.length - outside.length,
    lostOutside: outside.map(({ at, ms: tookMs, why }) => `${new Date(at).toISOString()} after ${tookMs} ms: ${why}`),
    problems,
  };
}

const isExplained = ({ at, ms }: Load['lost'][number], windows: readonly Window[]): boolean =>
  windows.some(({ fromMs, untilMs }) => at + ms >= fromMs - slackMs && at <= untilMs);

/** Lets it happen and waits until the server is at rest again; says what went wrong. */
async function sufferOnce(
  world: SoakWorld,
  fault: Fault,
  windows: Window[],
  trace: Trace,
): Promise<string | undefined> {
  const { fleet } = world;
  const window: Window = { fault: fault.name, fromMs: Date.now(), untilMs: Infinity };
  const afterMs = mayLoseAfterMs(world, fault);
  if (afterMs !== undefined) windows.push(window);
  trace({ what: 'begin', fault: fault.name });
  try {
    await fault.act(world);
    window.untilMs = Date.now() + (afterMs ?? 0);
    trace({ what: 'acted', fault: fault.name });
    const status = await fleet.agent.until('at rest', isAtRest, restMs);
    trace({ what: 'at rest', fault: fault.name, generation: status.running?.generation, units: status.units });
    return undefined;
  } catch (error) {
    window.untilMs = Date.now() + (afterMs ?? 0);
    const words = `${fault.name}: ${String(error)}`;
    trace({ what: 'problem', fault: fault.name, words });
    return words;
  }
}

/** In touch with the manager, and running what was ordered, for good; or having refused it. */
const isAtRest = ({ phase, manager, units, nack, observed, committed }: LocalStatus): boolean =>
  manager?.reachable === true &&
  units[0]?.state === 'running' &&
  (nack !== null || (phase === 'committed' && observed?.generation === committed?.generation));

type Trace = (entry: Readonly<Record<string, unknown>>) => void;

const createTrace =
  (file: string): Trace =>
  (entry) =>
    appendFileSync(file, `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);

interface WatchDeps {
  readonly fleet: Fleet;
  readonly load: Load;
  readonly beganMs: number;
  readonly say: (text: string) => void;
  readonly trace: Trace;
  readonly strategies: Map<string, number>;
  readonly outside: () => number;
}

/** Samples every two seconds and says each minute how it goes. */
function startWatch({ fleet, load, beganMs, say, trace, strategies, outside }: WatchDeps) {
  const samples: Sample[] = [];
  const ending = new AbortController();
  let lastReload = '';
  const look = async (): Promise<void> => {
    const status = await fleet.agent.local.status().catch(() => undefined);
    const unit = status?.units[0];
    const reload = unit?.reload ?? undefined;
    if (reload !== undefined && reload.at !== lastReload) {
      lastReload = reload.at;
      strategies.set(reload.strategy, (strategies.get(reload.strategy) ?? 0) + 1);
      trace({ what: 'reload', ...reload });
    }
    const engines = processesUnder(fleet.dir.file('agent/state')).filter(({ command }) => / run .*-c /.test(command));
    const pids = engines.map(({ pid }) => pid);
    const sample = takeSample(Date.now() - beganMs, fleet.agent.process.pid, pids, unit?.draining?.length ?? 0);
    if (sample !== undefined) samples.push(sample);
  };
  const done = (async () => {
    for (let count = 1; !ending.signal.aborted; count += 1) {
      await look();
      const last = samples.at(-1);
      if (count % Math.round(60_000 / sampleEveryMs) === 0 && last !== undefined)
        say(
          `${Math.round((Date.now() - beganMs) / 60_000)} min: ${load.count.requests} requests, ${load.lost.length} lost, ` +
            `${outside()} outside faults, ${load.cut.length} streams cut, agent ${last.agentAnonMb.toFixed(1)} MB ` +
            `${last.agentFds} fds, ${last.engines} engines`,
        );
      await sleep(sampleEveryMs, undefined, { signal: ending.signal }).catch(() => {});
    }
  })();
  return {
    samples,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
    },
  };
}
