// What reloads cost those who use the proxy: 100 new requests a second and 20 endless downloads through a real engine,
// each strategy for itself, in a network namespace of its own so that nftables can be used.
import { buildAgent } from '../src/agent-bundle.ts';
import { runBench, type Must } from '../src/bench-report.ts';
import { openTestDirectory } from '../src/index.ts';
import { isInOwnNetwork } from './network/own-network.ts';
import { measureReloads, type ReloadResult } from './reload/measure-reloads.ts';
import { strategyCases, type ReloadConfig, type StrategyCase } from './reload/strategies.ts';

const configs: readonly ReloadConfig[] = ['small', 'large'];
const engines = ['sing-box'];
const all = 'all';

const options = {
  engine: { default: 'sing-box', summary: 'what is reloaded; agents run no other engine' },
  reloads: { default: 15, summary: 'how many of each' },
  strategy: { default: all, summary: strategyCases.map(({ name }) => name).join(', ') },
  config: { default: all, summary: 'small (3 nodes) or large (2,000 nodes and 20,000 domains)' },
  bundle: { default: '', summary: 'a bundle of the agent; without it one is built' },
};

function chosen<T>(things: readonly T[], nameOf: (thing: T) => string, name: string): readonly T[] {
  const found = name === all ? things : things.filter((thing) => nameOf(thing) === name);
  if (found.length === 0) throw new Error(`${name} is not one of ${things.map(nameOf).join(', ')}`);
  return found;
}

/** In a whole number, because half a request cannot be lost. */
const mayLose = ({ mayLose: limits }: StrategyCase, { config, reloads }: ReloadResult): number =>
  Math.ceil(limits[config] * reloads);

function mustsOf(strategy: StrategyCase, result: ReloadResult): Must[] {
  const where = `${result.strategy}, ${result.config}`;
  const lost = mayLose(strategy, result);
  return [
    ...(lost === Infinity
      ? []
      : [{ what: `lost, ${where}`, value: result.lost, limit: lost + 1, unit: `of ${result.requests}` }]),
    ...(strategy.mayCut ? [] : [{ what: `streams cut, ${where}`, value: result.streams_cut, limit: 1, unit: 'of 20' }]),
  ];
}

if (await isInOwnNetwork())
  await runBench(options, async ({ engine, reloads, strategy: wanted, config: wantedConfig, bundle }) => {
    chosen(engines, (name) => name, engine);
    const strategies = chosen(strategyCases, ({ name }) => name, wanted);
    const sizes = chosen(configs, (name) => name, wantedConfig);
    await using dir = openTestDirectory('bench-reload');
    const program = await buildAgent(dir.path, bundle);
    const measured: { strategy: StrategyCase; result: ReloadResult }[] = [];
    for (const config of sizes)
      for (const strategy of strategies) {
        console.error(`${strategy.name}, ${config}: ${strategy.summary}`);
        measured.push({ strategy, result: await measureReloads({ strategy, config, reloads, program }) });
      }
    return {
      title: `${reloads} reloads of each kind under 100 new connections a second and 20 endless downloads`,
      rows: measured.map(({ strategy, result }) => ({
        strategy: result.strategy,
        config: result.config,
        requests: result.requests,
        lost: result.lost,
        'may lose': Number.isFinite(mayLose(strategy, result)) ? mayLose(strategy, result) : 'unmeasured',
        'streams cut': result.streams_cut,
        'may cut': strategy.mayCut ? 'yes' : 0,
        'gap ms': result.gap_ms,
        'p99 ms': result.latency_ms.p99,
        'serving ms': result.serving_ms,
        'max ms': result.serving_all_ms.max,
      })),
      notes: ['gap: the longest that a request waited for its answer; of lost ones, until the next answer'],
      musts: measured.flatMap(({ strategy, result }) => mustsOf(strategy, result)),
      data: { strategies: measured.map(({ result }) => result) },
    };
  });
