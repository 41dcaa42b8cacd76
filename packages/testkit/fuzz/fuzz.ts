// Sends what Schemathesis makes of both OpenAPI documents to a real manager and a real agent. Ends with 1 for an answer
// that is a server error, breaks its schema, or takes what it should refuse; and for an error in a log.
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { operatorContract, routesOf } from '@sbox/protocol';
import { openTestDirectory, startFleet, startProcess, type Fleet, type TestDirectory } from '../src/index.ts';

interface Run {
  readonly seed: number;
  readonly phases: string;
  readonly examples: number;
}

/** Going through every constraint of every schema takes minutes (77,000 requests): that is for the nightly. */
const quick: readonly Run[] = [1, 2].map((seed) => ({ seed, phases: 'examples,fuzzing', examples: 8 }));
const deep: readonly Run[] = [
  { seed: 1, phases: 'examples,coverage,fuzzing,stateful', examples: 100 },
  { seed: 2, phases: 'fuzzing,stateful', examples: 300 },
];

const root = path.join(import.meta.dirname, '../../..');
const maxShown = 20_000;
const agentToken = 'a-token-for-the-fuzzer';
/** The limits on requests would end it after a second. */
const unlimited = { LIMITS_TOKEN: '1000000000', LIMITS_ANONYMOUS: '1000000000', LIMITS_LOGIN: '1000000000' };

const { values } = parseArgs({
  options: { deep: { type: 'boolean', default: false }, only: { type: 'string' }, seed: { type: 'string' } },
});

/** What the examples name has to be there, or most requests would only learn that it is not. */
async function makeExamples({ manager }: Fleet): Promise<void> {
  const writes = routesOf(operatorContract).filter(({ method, id }) => method === 'post' && id.startsWith('create'));
  const adds = routesOf(operatorContract).filter(({ method, id }) => method === 'post' && id.startsWith('add'));
  for (const { path: address, example, rawBody, streamBody } of [...adds, ...writes]) {
    if (rawBody ?? streamBody) continue;
    await manager.transport({
      method: 'POST',
      path: address,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(example.body ?? {})),
      signal: undefined,
    });
  }
}

interface Target {
  readonly name: 'manager' | 'agent';
  readonly url: string;
  readonly token: string;
  readonly document: string;
}

const python = [
  'import sys',
  'from schemathesis.cli import schemathesis',
  'sys.argv[0] = "schemathesis"',
  'schemathesis()',
].join('; ');

async function fuzz(dir: TestDirectory, { name, url, token, document }: Target, run: Run): Promise<boolean> {
  const reports = dir.file(`${name}-${run.seed}`);
  mkdirSync(reports, { recursive: true });
  const options = [
    '--config-file',
    path.join(import.meta.dirname, 'schemathesis.toml'),
    'run',
    document,
    '--url',
    url,
    '--header',
    `Authorization: Bearer ${token}`,
    '--seed',
    String(run.seed),
    '--phases',
    run.phases,
    '--max-examples',
    String(run.examples),
    // With two, CPython 3.11 breaks now and then while it reads its own sources.
    '--workers=1',
    '--no-shrink',
    '--request-timeout=30',
    '--suppress-health-check=all',
    '--report=junit',
    '--report-dir',
    reports,
  ];
  await using running = await startProcess({
    command: 'python3',
    args: ['-c', python, ...options],
    cwd: reports,
    env: {
      PYTHONPATH: [path.join(root, '.tools/schemathesis'), import.meta.dirname].join(':'),
      SCHEMATHESIS_HOOKS: 'sbox_checks',
      NO_COLOR: '1',
      COLUMNS: '120',
    },
  });
  const startedMs = performance.now();
  const { code } = await running.exited;
  const output = running.output();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  const cases = /(\d+) generated/.exec(output)?.[1] ?? 'no';
  console.log(
    `${name}, seed ${run.seed}: ${cases} requests in ${seconds} s, ${code === 0 ? 'nothing found' : 'failed'}`,
  );
  if (code !== 0) console.log(output.slice(-maxShown));
  return code === 0;
}

/** Where the agent serves its own API over TCP. */
function apiOf({ agent }: Fleet): string {
  const { api } = JSON.parse(agent.process.ready?.[0] ?? '{}') as { readonly api?: string };
  if (api === undefined) throw new Error('the agent serves no API');
  return api.startsWith('http') ? api : `http://${api}`;
}

/** What a daemon itself took for a fault. */
async function errorsIn(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.filter((line) => line.includes('"level":"error"'));
}

await using dir = openTestDirectory('fuzz');
await using fleet = await startFleet({
  manager: unlimited,
  agent: {
    API_ENABLED: 'true',
    API_PORT: '0',
    API_SECURITY_AUTH_TOKEN: agentToken,
    API_SECURITY_RATE_LIMIT_ENABLED: 'false',
  },
});
await makeExamples(fleet);
const { manager, agent } = fleet;
const { token } = await manager.client.tokens.create({ body: { name: 'fuzzer', role: 'admin' } });
const reference = path.join(root, 'docs/reference');
const targets: Target[] = [
  { name: 'manager', url: manager.url, token, document: path.join(reference, 'manager-openapi.json') },
  { name: 'agent', url: apiOf(fleet), token: agentToken, document: path.join(reference, 'agent-openapi.json') },
];
const failures: string[] = [];
for (const target of targets.filter(({ name }) => values.only === undefined || name === values.only)) {
  for (const run of values.deep ? deep : quick) {
    if (values.seed !== undefined && run.seed !== Number(values.seed)) continue;
    if (!(await fuzz(dir, target, run))) failures.push(`${target.name}, seed ${run.seed}`);
  }
}
for (const [name, { isRunning }, log] of [
  ['manager', manager.process, `${fleet.dir.file('manager')}.log`],
  ['agent', agent.process, fleet.dir.file('agent/agent.log')],
] as const) {
  if (!isRunning) failures.push(`the ${name} has ended`);
  const errors = await errorsIn(log);
  for (const line of errors.slice(0, 5)) console.log(line);
  if (errors.length > 0) failures.push(`${errors.length} errors in the log of the ${name}`);
}
console.log(failures.length === 0 ? 'fuzz: nothing found' : `fuzz: ${failures.join('; ')}`);
process.exitCode = failures.length === 0 ? 0 : 1;
