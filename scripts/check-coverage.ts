// Fails when jest's coverage summary shows fewer covered lines than we promise, or nothing at all for a package.
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Percent of lines that must be covered. */
const leastOverall = 80;
const leastPerPackage = 70;

interface LineCount {
  total: number;
  covered: number;
}

/** Istanbul's `json-summary`: absolute file → counts, and a `total` row. */
export type CoverageSummary = Record<string, { lines: LineCount }>;

export interface CoverageRow extends LineCount {
  name: string;
  percent: number;
  least: number;
  isEnough: boolean;
}

/** One row for each package and a last one for all; a package without a counted line is never enough. */
export function coverageRows(summary: CoverageSummary, packages: readonly string[]): CoverageRow[] {
  const counts = new Map<string, LineCount>(packages.map((name) => [name, { total: 0, covered: 0 }]));
  for (const [file, { lines }] of Object.entries(summary)) {
    const count = counts.get(/\/packages\/([^/]+)\//.exec(file)?.[1] ?? '');
    if (count === undefined) continue;
    count.total += lines.total;
    count.covered += lines.covered;
  }
  const all = { total: 0, covered: 0 };
  for (const count of counts.values()) {
    all.total += count.total;
    all.covered += count.covered;
  }
  const row = (name: string, count: LineCount, least: number): CoverageRow => {
    const percent = count.total === 0 ? 0 : (100 * count.covered) / count.total;
    return { name, ...count, percent, least, isEnough: count.total > 0 && percent >= least };
  };
  return [...[...counts].map(([name, count]) => row(name, count, leastPerPackage)), row('all', all, leastOverall)];
}

if (import.meta.main) {
  const root = path.join(import.meta.dirname, '..');
  const file = process.argv[2] ?? path.join(root, 'coverage/coverage-summary.json');
  const packages = globSync('packages/*/package.json', { cwd: root }).map((each) => each.split(path.sep)[1] ?? '');
  const rows = coverageRows(JSON.parse(readFileSync(file, 'utf8')) as CoverageSummary, packages.toSorted());
  for (const row of rows) {
    const verdict = row.isEnough
      ? ''
      : row.total === 0
        ? '   no covered file: is the package tested?'
        : '   too little';
    console.log(
      `${row.name.padEnd(12)} ${row.percent.toFixed(1).padStart(5)} % of ${row.total} lines, least ${row.least} %${verdict}`,
    );
  }
  process.exitCode = rows.every((row) => row.isEnough) ? 0 : 1;
}
