import path from 'node:path';
import { printDuration, ProblemError } from '@sbox/core';
import type { PipelineSource } from '@sbox/pipeline';
import { text, type Call } from '../command.ts';
import { readSource, type Source } from '../read-source.ts';
import { parseSource, summarise } from './parse-source.ts';
import { isUrl, type RecipeSource } from './recipe.ts';

/** Reads and parses every subscription, in order, and says what came. */
export async function readSources(
  subscriptions: readonly RecipeSource[],
  call: Call,
  { withLines = false } = {},
): Promise<PipelineSource[]> {
  if (subscriptions.filter(({ source, text: given }) => source === '-' && given === undefined).length > 1)
    throw new ProblemError('command.usage', 'standard input can be read once only');
  const names = new Set<string>();
  const sources: PipelineSource[] = [];
  for (const subscription of subscriptions) {
    const startedMs = call.host.clock.monotonic();
    const source = await readOne(subscription, call);
    const parsed = parseSource(source, { withLines });
    const took = printDuration(call.host.clock.monotonic() - startedMs);
    call.out.talk(`read ${source.label}: ${summarise(parsed)}, ${source.bytes.length} bytes in ${took}`);
    const name = freeName(subscription.name ?? nameOf(subscription.source), names);
    names.add(name);
    sources.push({
      subscription: name,
      nodes: parsed.nodes,
      ...(parsed.lines === undefined ? {} : { lines: parsed.lines }),
    });
  }
  return sources;
}

async function readOne({ name, source, text: given, user_agent, headers }: RecipeSource, call: Call): Promise<Source> {
  if (given !== undefined) return { label: name ?? 'the text of the recipe', bytes: new TextEncoder().encode(given) };
  const userAgent = text(call, 'userAgent') ?? user_agent;
  return await readSource(source, call.host, {
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(headers === undefined ? {} : { headers }),
  });
}

/** The host of a URL, the name of a file without its ending. */
function nameOf(source: string): string {
  if (source === '-') return 'stdin';
  return isUrl(source) ? (URL.parse(source)?.hostname ?? source) : path.basename(source).replace(/\.[^.]+$/, '');
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name}-${number}`;
  return free;
}
