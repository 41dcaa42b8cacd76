// Servers that live through every kind of fault, one for each seed, or one for each step of the disk.
import { argv, exit } from 'node:process';
import { parseArgs } from 'node:util';
import {
  countCrashPoints,
  crashVariants,
  describeCrash,
  runCrashPoint,
  type CrashResult,
} from '../simulator/crash-points.ts';
import { describeSeed, runSeed, type SeedResult } from '../simulator/run-seed.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    'crash-points': { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});
const [from, seeds, isTraced] = [Number(values.from), Number(values.seeds), values.trace];
const startedMs = performance.now();

const namesOf = ({ violations }: SeedResult | CrashResult): string[] => [
  ...new Set(violations.map(({ invariant, words }) => `${invariant}: ${words.slice(0, 300)}`)),
];

async function runSeeds(): Promise<Record<string, unknown>> {
  const totals = { seeds, steps: 0, violations: 0, failing: [] as unknown[] };
  for (let seed = from; seed < from + seeds; seed += 1) {
    const result = await runSeed(seed, isTraced);
    totals.steps += result.steps;
    totals.violations += result.violations.length;
    if (result.violations.length > 0) totals.failing.push({ seed, violations: namesOf(result) });
    if (isTraced || (result.violations.length > 0 && values.output !== 'json')) {
      console.error(isTraced ? result.trace.join('\n') : describeSeed(await runSeed(seed, true)));
    }
  }
  return totals;
}

async function runCrashPoints(): Promise<Record<string, unknown>> {
  const points = await countCrashPoints();
  const totals = { points, runs: 0, violations: 0, failing: [] as unknown[] };
  const last = argv.includes('--seeds') ? Math.min(points, from + seeds - 1) : points;
  for (const variant of crashVariants) {
    for (let point = from; point <= last; point += 1) {
      const result = await runCrashPoint({ variant, point }, isTraced);
      totals.runs += 1;
      totals.violations += result.violations.length;
      if (result.violations.length > 0) {
        totals.failing.push({ variant, point, phase: result.phase, violations: namesOf(result) });
      }
      if (isTraced) console.error(describeCrash(result));
    }
  }
  return totals;
}

const totals = await (values['crash-points'] ? runCrashPoints() : runSeeds());
if (values.output === 'json') console.log(JSON.stringify(totals));
else {
  const { failing, ...counts } = totals;
  console.table([{ ...counts, seconds: Math.round((performance.now() - startedMs) / 100) / 10 }]);
  if (Array.isArray(failing) && failing.length > 0) console.log(JSON.stringify(failing, undefined, 2));
}
exit(totals['violations'] === 0 ? 0 : 1);
