import { readdirSync } from 'node:fs';
import { readProcessUsage } from '../../src/process-usage.ts';

/** What the processes of one server use at one moment. */
export interface Sample {
  readonly atMs: number;
  readonly agentPid: number;
  readonly agentAnonMb: number;
  readonly agentFds: number;
  /** All engines of the server: the live one, one that is tried, those that drain. */
  readonly engines: number;
  readonly engineAnonMb: number;
  readonly engineFds: number;
  readonly draining: number;
}

const fdsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Undefined when one of them ended before it was looked at. */
export function takeSample(
  atMs: number,
  agentPid: number,
  engines: readonly number[],
  draining: number,
): Sample | undefined {
  try {
    const sample = {
      atMs,
      agentPid,
      agentAnonMb: readProcessUsage(agentPid).anon_mb,
      agentFds: fdsOf(agentPid),
      engines: engines.length,
      engineAnonMb: engines.reduce((sum, pid) => sum + readProcessUsage(pid).anon_mb, 0),
      engineFds: engines.reduce((sum, pid) => sum + fdsOf(pid), 0),
      draining,
    };
    // One that has ended and was not waited for has a status without memory.
    return Object.values(sample).some(Number.isNaN) ? undefined : sample;
  } catch {
    return undefined;
  }
}

export interface Trend {
  readonly first: number;
  readonly last: number;
  readonly max: number;
  readonly is_flat: boolean;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;

/**
 * Flat: the median of the last third is no more than so much above the median of the first third. Medians of thirds, not
 * a line through all points, because each restart of a process begins anew and would tilt the line.
 */
export function trendOf(values: readonly number[], mayGrow: (first: number) => number): Trend {
  const third = Math.ceil(values.length / 3);
  const [first, last] = [median(values.slice(0, third)), median(values.slice(-third))];
  return { first, last, max: Math.max(...values), is_flat: last <= first + mayGrow(first) };
}
