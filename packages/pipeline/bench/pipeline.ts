/**
 * How fast nodes go through operators: `./scripts/bench pipeline [-o json]`. The figure is the best of several runs in one
 * process, the first of which meets cold code.
 */
import { cpus, loadavg } from 'node:os';
import { exit, versions } from 'node:process';
import { parseArgs } from 'node:util';
import type { Pipeline } from '@sbox/protocol/pipeline';
import { runPipeline } from '../src/index.ts';
import { exampleNode } from '../src/testing/nodes.ts';

const runs = 5;
const count = 50_000;
const goalMs = 1000;

const pipeline: Pipeline = [
  { operator: 'exclude', preset: 'useless' },
  { operator: 'filter', drop: { name: '(?i)premium|x2' } },
  { operator: 'country', flag: 'add' },
  { operator: 'rename', replace: [{ pattern: '(\\d+)$', with: '#$1' }], template: '{flag} {country_name} {index}' },
  { operator: 'set', match: { security: 'tls' }, fingerprint: 'chrome', tcp_fast_open: true },
  { operator: 'sort', by: ['country', 'name'] },
];

function main(): void {
  const { values } = parseArgs({ options: { output: { type: 'string', short: 'o' } } });
  const load = Math.round((loadavg()[0] ?? 0) * 100) / 100;
  const sources = [{ subscription: 'main', nodes: Array.from({ length: count }, (_, number) => exampleNode(number)) }];
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    runPipeline(sources, pipeline);
    return Math.round(performance.now() - start);
  });
  const machine = { cores: cpus().length, load, node: versions.node };
  const result = { nodes: count, operators: pipeline.length, ms: Math.min(...times), first_ms: times[0], machine };
  if (values.output === 'json') return console.log(JSON.stringify(result));
  console.table({ 'runPipeline, ms': times });
  console.log(`must ${count} nodes, ms < ${goalMs}: ${result.ms < goalMs ? 'reached' : 'NOT REACHED'} (${result.ms})`);
  console.log(`${machine.cores} cores, load ${load} at the start, Node ${machine.node}`);
}

try {
  main();
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  exit(2);
}
