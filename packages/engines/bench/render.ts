/**
 * How fast nodes become a document: `./scripts/bench render [-o json]`. The figure is the best of several runs in one
 * process, the first of which meets cold code.
 */
import { cpus, loadavg } from 'node:os';
import { exit, versions } from 'node:process';
import { parseArgs } from 'node:util';
import { renderSingBox, writeNodes, type EngineTarget } from '../src/sing-box/render.ts';
import { mixedNodes } from '../test/mixed-nodes.ts';

const runs = 10;
const count = 5000;
const goalMs = 50;

const target: EngineTarget = {
  engine: 'sing-box',
  version: '1.14.4',
  tags: ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor'],
};

function timed(run: () => unknown): number[] {
  return Array.from({ length: runs }, () => {
    const start = performance.now();
    run();
    return Math.round((performance.now() - start) * 10) / 10;
  });
}

function main(): void {
  const { values } = parseArgs({ options: { output: { type: 'string', short: 'o' } } });
  const load = Math.round((loadavg()[0] ?? 0) * 100) / 100;
  const nodes = mixedNodes(count);
  const render = timed(() => renderSingBox(nodes, target));
  const write = timed(() => writeNodes(nodes, target));
  const result = {
    nodes: count,
    ms: Math.min(...render),
    first_ms: render[0],
    write_nodes_ms: Math.min(...write),
    machine: { cores: cpus().length, load, node: versions.node },
  };
  if (values.output === 'json') return console.log(JSON.stringify(result));
  console.table({ 'renderSingBox, ms': render, 'writeNodes alone, ms': write });
  console.log(`must ${count} nodes, ms < ${goalMs}: ${result.ms < goalMs ? 'reached' : 'NOT REACHED'} (${result.ms})`);
  console.log(`${cpus().length} cores, load ${load} at the start, Node ${versions.node}`);
}

try {
  main();
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  exit(2);
}
