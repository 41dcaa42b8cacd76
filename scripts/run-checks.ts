// Runs every check, also after one has failed, and ends with what took how long, what was left out, and one line of totals.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { killProcessesUnder, processesUnder } from '../packages/testkit/src/test-directory.ts';
import { type JestReport, type Outcome, summarize } from './test-summary.ts';

interface Check {
  name: string;
  command: readonly string[];
  maxMinutes: number;
  /** Where a run of tests leaves jest's report. */
  reportFile?: string;
}

const root = path.join(import.meta.dirname, '..');
const isNightly = process.argv.includes('--all');
const unknown = process.argv.slice(2).find((argument) => argument !== '--all');
if (unknown !== undefined) {
  console.error(
    `error: unknown option ${unknown}\ncause: ./scripts/test knows only --all\nfix:   ./scripts/test [--all]`,
  );
  process.exit(2);
}

const bin = (name: string): string => path.join(root, 'node_modules/.bin', name);
const node = (...command: string[]): string[] => [process.execPath, ...command];
const coverage = path.join(root, 'coverage');
// Tests keep their files and thereby their processes below it, so that what they leave behind can be found.
const testDirectory = mkdtempSync(path.join(tmpdir(), 'sbox-tests-'));

/**
 * Tests that tell which lines are covered. Measuring costs more than a second for each file, and makes what runs
 * long slower, so what runs thousands of lives or asks many engines about the same code goes without.
 */
const measured = 'packages/([a-z]+/src|(manager|cli|testkit)/test)/';

function jest(name: string, options: readonly string[]): Check {
  const reportFile = path.join(coverage, `${name.replaceAll(/\W+/g, '-')}.json`);
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const report = ['--ci', '--json', `--outputFile=${reportFile}`];
  return {
    name,
    command: node(...flags, 'node_modules/jest/bin/jest.js', ...report, ...options),
    maxMinutes: isNightly ? 60 : 40,
    reportFile,
  };
}

const checks: Check[] = [
  { name: 'typecheck', command: [bin('tsc'), '-b'], maxMinutes: 5 },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'], maxMinutes: 5 },
  { name: 'boundaries', command: node('scripts/check-boundaries.ts'), maxMinutes: 1 },
  { name: 'dependencies', command: node('scripts/check-dependencies.ts'), maxMinutes: 1 },
  { name: 'format', command: [bin('prettier'), '--check', '--log-level', 'warn', '.'], maxMinutes: 5 },
  { name: 'unused', command: [bin('knip'), '--config', '.ci/knip.json'], maxMinutes: 5 },
  { name: 'generated docs', command: node('scripts/generate-docs.ts', '--check'), maxMinutes: 2 },
  { name: 'build', command: node('scripts/build.ts'), maxMinutes: 5 },
  jest('tests', [
    '--coverage',
    '--coverageReporters=json-summary',
    '--testPathPatterns',
    measured,
    // Most of their time they wait for processes.
    '--maxWorkers=3',
  ]),
  jest('tests, unmeasured', ['--testPathIgnorePatterns', measured]),
  { name: 'coverage', command: node('scripts/check-coverage.ts'), maxMinutes: 1 },
  {
    name: 'fuzz',
    command: node('packages/testkit/fuzz/fuzz.ts', ...(isNightly ? ['--deep'] : [])),
    maxMinutes: isNightly ? 60 : 10,
  },
  { name: 'fresh machine', command: ['scripts/test-fresh'], maxMinutes: 45 },
];

let isInterrupted = false;

function readReport({ reportFile }: Check): JestReport | undefined {
  if (reportFile === undefined || !existsSync(reportFile)) return undefined;
  return JSON.parse(readFileSync(reportFile, 'utf8')) as JestReport;
}

/** Runs one command in a process group of its own, so that the limit ends its children too. */
async function run({ command: [program = '', ...args], maxMinutes }: Check): Promise<boolean> {
  // jest's --json prints its whole report to stdout; the file beside it is enough.
  const isReport = args.includes('--json');
  const child = spawn(program, args, {
    cwd: root,
    detached: true,
    stdio: ['ignore', isReport ? 'ignore' : 'inherit', 'inherit'],
    env: {
      ...process.env,
      CI: 'true',
      SBOX_TEST_DIR: testDirectory,
      SBOX_PROGRAMS: path.join(root, 'dist'),
      // Tests start hundreds of managers and agents from the same sources.
      NODE_COMPILE_CACHE: path.join(testDirectory, 'compiled'),
      ...(isNightly ? { SBOX_TEST_ALL: '1' } : {}),
    },
  });
  const stop = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  const interrupt = (): void => {
    isInterrupted = true;
    stop();
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const limit = setTimeout(() => {
    console.error(`stopped after ${maxMinutes} minutes`);
    stop();
  }, maxMinutes * 60_000);
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', (error) => (console.error(error.message), resolve(null)));
    child.once('exit', resolve);
  });
  clearTimeout(limit);
  process.off('SIGINT', interrupt);
  process.off('SIGTERM', interrupt);
  return code === 0;
}

rmSync(coverage, { recursive: true, force: true });
mkdirSync(coverage, { recursive: true });
const leftOut: string[] = [];
const outcomes: Outcome[] = [];
for (const check of checks) {
  if (isInterrupted) leftOut.push(`${check.name}: interrupted`);
  else if (check.name === 'fresh machine' && !isNightly)
    leftOut.push('fresh machine: ./scripts/test-fresh, or all by ./scripts/test --all');
  else if (check.name === 'generated docs' && !existsSync(path.join(root, 'scripts/generate-docs.ts')))
    leftOut.push('generated docs: no generator yet');
  else {
    console.error(`\n== ${check.name}`);
    const startedAt = performance.now();
    const isOk = await run(check);
    const report = readReport(check);
    const isReported = check.reportFile === undefined || report !== undefined;
    const seconds = (performance.now() - startedAt) / 1000;
    outcomes.push({ name: check.name, isOk: isOk && isReported, seconds, report });
  }
}

const survivors = processesUnder(testDirectory);
for (const { pid, command } of survivors) console.error(`left running by a test: ${pid} ${command}`);
await killProcessesUnder(testDirectory);
outcomes.push({ name: 'nothing left running', isOk: survivors.length === 0, seconds: 0 });
rmSync(testDirectory, { recursive: true, force: true });

const summary = summarize(outcomes, leftOut);
console.log(summary.text);
process.exitCode = summary.failed > 0 ? 1 : 0;
