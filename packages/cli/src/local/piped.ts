import { lookup as lookUp } from 'node:dns/promises';
import { hostsToResolve, resolveHosts, runPipeline, type PipelineResult, type PipelineSource } from '@sbox/pipeline';
import type { Pipeline } from '@sbox/protocol/pipeline';
import type { Host } from '../command.ts';
import { counted } from '../counted.ts';

const resolving = { concurrency: 16, timeoutMs: 3000 };
const maxHosts = 5000;

export type Addresses = ReadonlyMap<string, readonly string[]>;

/** What the hosts that a pipeline asks for resolve to on this machine. */
export async function findAddresses(
  sources: readonly PipelineSource[],
  pipeline: Pipeline,
  { clock, signal }: Pick<Host, 'clock' | 'signal'>,
): Promise<Addresses> {
  if (!pipeline.some(({ operator, enabled }) => operator === 'resolve' && enabled !== false)) return new Map();
  const hosts = hostsToResolve(sources, pipeline).slice(0, maxHosts);
  const lookup = async (host: string) => (await lookUp(host, { all: true })).map(({ address }) => address);
  return await resolveHosts(hosts, lookup, { ...resolving, clock, signal });
}

/** Runs the operators; the trace says what each of them did. */
export const runOperators = (
  sources: readonly PipelineSource[],
  pipeline: Pipeline,
  addresses: Addresses,
): PipelineResult => runPipeline(sources, pipeline, { addresses });

const maxShown = 20;

/** The trace for people: a line for each operator, and what it did to nodes. */
export const traceLines = ({ trace }: PipelineResult): string[] =>
  trace.flatMap(({ index, operator, in: before, out, effects, unlisted }) => {
    if (index < 0 && effects.length === 0) return [];
    const more = effects.length - maxShown + unlisted;
    return [
      `${index < 0 ? operator : `${index} ${operator}`}: ${counted(before, 'node')} in, ${out} out`,
      ...effects.slice(0, maxShown).map(({ tag, kind, what }) => `  ${kind} ${tag}: ${what}`),
      ...(more > 0 ? [`  and ${more} more`] : []),
    ];
  });
