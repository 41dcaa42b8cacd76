/**
 * How long `sboxmgr generate` takes for a file of nodes, from the start of the process to its end, as a bundle:
 * `./scripts/bench generate [--nodes N] [--runs N] [-o json]`. The bundle is built first. It ends with 1 when the median
 * with the check of the engine is over the limit.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import process, { env, execPath } from 'node:process';
import { parseArgs } from 'node:util';

const limitMs = 400;
const root = path.join(import.meta.dirname, '../../..');
const program = path.join(root, 'dist/sboxmgr/main.mjs');
const engine = env['SBOX_SING_BOX'] ?? path.join(root, '.tools/bin/sing-box');

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000' },
    runs: { type: 'string', default: '15' },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});

const makers: readonly ((n: number, host: string) => string)[] = [
  (n, host) => `trojan://secret-${n}@${host}:443?sni=${host}#DE%20${n}`,
  (n, host) => `ss://${Buffer.from(`aes-128-gcm:secret-${n}`).toString('base64')}@${host}:8388#NL%20${n}`,
  (n, host) =>
    `vless://b831381d-6324-4d53-ad4f-${n.toString(16).padStart(12, '0')}@${host}:443?security=tls&type=ws&path=%2Fw&sni=${host}#US%20${n}`,
  (n, host) => `hysteria2://secret-${n}@${host}:443?sni=${host}#FR%20${n}`,
];

const recipe = `
subscriptions: [./nodes.txt]
pipeline:
  - { operator: filter, drop: { name: '(?i)premium' } }
  - { operator: group, tag: germany, type: urltest, match: { country: DE } }
template: { name: mixed, params: { block_domains: [ads.example] } }
tests: [{ name: ads, destination: x.ads.example, expect: { verdict: reject } }]
`;

function measure(dir: string, words: readonly string[], runs: number) {
  const args = [program, 'generate', ...words, '--engine', engine, '-f', 'config.json', '-q'];
  const times = Array.from({ length: runs }, () => {
    const startedMs = performance.now();
    execFileSync(execPath, args, { cwd: dir, stdio: 'inherit' });
    return Math.round(performance.now() - startedMs);
  }).toSorted((a, b) => a - b);
  return { min_ms: times[0] ?? 0, median_ms: times[times.length >> 1] ?? 0, max_ms: times.at(-1) ?? 0 };
}

execFileSync(execPath, [path.join(root, 'scripts/build.ts')], { cwd: root, stdio: 'ignore' });
const dir = mkdtempSync(path.join(tmpdir(), 'sbox-bench-'));
try {
  const [nodes, runs] = [Number(values.nodes), Number(values.runs)];
  const links = Array.from({ length: nodes }, (_, n) => makers[n % makers.length]?.(n, `n${n}.example.net`) ?? '');
  writeFileSync(path.join(dir, 'nodes.txt'), links.join('\n'));
  writeFileSync(path.join(dir, 'recipe.yaml'), recipe);
  const load = loadavg()[0] ?? 0;
  const report = {
    nodes,
    runs,
    load,
    no_check: measure(dir, ['-u', 'nodes.txt', '--no-check'], runs),
    check: measure(dir, ['-u', 'nodes.txt'], runs),
    recipe: measure(dir, ['--recipe', 'recipe.yaml'], runs),
  };
  const isSlow = report.check.median_ms >= limitMs;
  if (values.output === 'json') console.log(JSON.stringify(report, undefined, 2));
  else {
    console.table({ 'no check': report.no_check, check: report.check, 'recipe and check': report.recipe });
    console.log(`${nodes} nodes, ${runs} runs each, load ${load.toFixed(1)}`);
    console.log(`${isSlow ? '✗' : '✔'} median with check ${report.check.median_ms} ms, limit ${limitMs} ms`);
  }
  process.exitCode = isSlow ? 1 : 0;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
