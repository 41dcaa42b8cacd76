// How long each step of `sboxmgr quickstart --once` takes, from starting the program to its last line.
import path from 'node:path';
import { round, runBench, summarize } from '../src/bench-report.ts';
import { openTestDirectory, pinnedSingBox, startProcess } from '../src/index.ts';

const program = path.join(import.meta.dirname, '../../cli/src/main.ts');
const stepMs = 60_000;

interface Step {
  readonly step: string;
  readonly ms: number;
}

/** The steps as they were printed, and `whole`: with the start of the program and the end of all it started. */
async function quickstartOnce(): Promise<Step[]> {
  await using dir = openTestDirectory('bench-quickstart');
  const beganMs = performance.now();
  await using running = await startProcess({
    command: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      program,
      'quickstart',
      '--once',
      '--dir',
      dir.file('state'),
      '-o',
      'json',
    ],
    env: { SBOX_SING_BOX: pinnedSingBox() },
    stopTimeoutMs: stepMs,
  });
  const [code] = await Promise.all([
    running.exited.then((exit) => exit.code),
    running.waitForLine(/"step":"ready"/, stepMs),
  ]);
  if (code !== 0) throw new Error(`quickstart ended with ${code}\n${running.output()}`);
  const steps = running
    .stdout()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Step);
  return [...steps, { step: 'whole', ms: performance.now() - beganMs }];
}

await runBench({ runs: { default: 3, summary: 'how many quickstarts' } }, async ({ runs }) => {
  const measured = new Map<string, number[]>();
  for (let run = 0; run < runs; run += 1) {
    for (const { step, ms } of await quickstartOnce()) measured.set(step, [...(measured.get(step) ?? []), ms]);
  }
  const rows = [...measured].map(([step, ms]) => {
    const { min, median, max } = summarize(ms, 0);
    return { step, 'min ms': min, 'median ms': median, 'max ms': max };
  });
  const { max: slowestMs } = summarize(measured.get('ready') ?? [], 0);
  return {
    title: `quickstart --once, ${runs} runs; ready is all steps together, whole adds start and tear-down`,
    rows,
    musts: [{ what: 'ready, the slowest run,', value: round(slowestMs / 1000), limit: 15, unit: 's' }],
    data: {
      runs,
      steps: Object.fromEntries([...measured].map(([step, ms]) => [step, summarize(ms, 0)])),
    },
  };
});
