// What the benchmarks share: options, percentiles and one way to print, for people and for programs.
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { closeTestDirectories } from './test-directory.ts';

type OptionRows = Readonly<Record<string, { readonly default: number | string; readonly summary: string }>>;
type Values<O extends OptionRows> = { readonly [N in keyof O]: O[N]['default'] extends number ? number : string };
type Cell = string | number;

/** A figure that the project promises; `limit` is exclusive. */
export interface Must {
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
}

export interface Report {
  readonly title: string;
  /** The table; columns are those of the first row. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
  readonly musts?: readonly Must[];
  readonly notes?: readonly string[];
  /** What ran beside it for comparison; without it "peer absent" is printed. */
  readonly peer?: string;
  /** What `-o json` prints beside the musts and the machine. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Summary {
  readonly min: number;
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Nearest rank, so each figure is one that was measured. */
export function summarize(values: readonly number[], digits = 1): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN, digits);
  return { min: at(0), median: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

/**
 * Reads the options, measures, prints. A benchmark that cannot run ends with 1, a wrong option with 2, and one that is
 * interrupted with 130, when all that it started has ended.
 */
export async function runBench<const O extends OptionRows>(
  options: O,
  measure: (values: Values<O>) => Promise<Report>,
): Promise<void> {
  const wanted = readOptions(options);
  if (wanted === undefined) return;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void closeTestDirectories().finally(() => process.exit(130)));
  const machine = {
    at: new Date().toISOString(),
    cores: cpus().length,
    load: round(loadavg()[0] ?? 0, 2),
    node: process.versions.node,
  };
  try {
    const { title, rows, musts = [], notes = [], peer, data } = await measure(wanted.values);
    const judged = musts.map((must) => ({ ...must, reached: must.value < must.limit }));
    if (wanted.isJson) console.log(JSON.stringify({ ...data, musts: judged, machine }));
    else {
      console.log(`${title}\n\n${table(rows)}\n\n${[...notes, `peer ${peer ?? 'absent'}`].join('\n')}`);
      for (const { what, value, limit, unit, reached } of judged)
        console.log(`must ${what} < ${limit} ${unit}: ${value} ${unit}, ${reached ? 'reached' : 'NOT REACHED'}`);
      console.log(`${machine.cores} cores, load ${machine.load} at the start, Node ${machine.node}`);
    }
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    console.error(`error: ${typeof code === 'string' ? `${code}: ` : ''}${message}`);
    process.exitCode = 1;
  }
}

function readOptions<O extends OptionRows>(options: O): { values: Values<O>; isJson: boolean } | undefined {
  const usage = Object.entries(options).map(([name, row]) => `  --${name}  ${row.summary} (default: ${row.default})`);
  try {
    const { values: given } = parseArgs({
      options: {
        output: { type: 'string', short: 'o', default: 'table' },
        ...Object.fromEntries(Object.keys(options).map((name) => [name, { type: 'string' as const }])),
      },
    }) as { values: Record<string, string | undefined> };
    const format = given['output'] ?? '';
    if (!['table', 'json'].includes(format)) throw new Error(`${format} is not one of table, json`);
    const values = Object.entries(options).map(([name, row]) => [name, valueOf(name, row.default, given[name])]);
    return { values: Object.fromEntries(values) as Values<O>, isJson: format === 'json' };
  } catch (error) {
    console.error(['error: ' + (error as Error).message, 'options:', '  -o table|json', ...usage].join('\n'));
    process.exitCode = 2;
    return undefined;
  }
}

function valueOf(name: string, preset: Cell, given: string | undefined): Cell {
  if (given === undefined || typeof preset === 'string') return given ?? preset;
  const value = Number(given);
  if (!(value > 0) || value === Infinity) throw new Error(`--${name} must be a number above 0, not ${given}`);
  return value;
}

/** Columns as wide as their widest cell; numbers to the right. */
function table(rows: Report['rows']): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ''))];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => String(line[at]).length)));
  const isText = columns.map((_, at) => lines.slice(1).some((line) => typeof line[at] === 'string'));
  const pad = (cell: Cell, at: number): string =>
    isText[at] ? String(cell).padEnd(widths[at] ?? 0) : String(cell).padStart(widths[at] ?? 0);
  return lines.map((line) => `  ${line.map(pad).join('  ')}`.trimEnd()).join('\n');
}
