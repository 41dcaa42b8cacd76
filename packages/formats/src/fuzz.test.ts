import { ProblemError } from '@sbox/core';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  parseSubscription,
  writeSubscription,
  writtenFormats,
  type ParsedSubscription,
  type WrittenFormat,
} from './index.ts';
import { goldenFiles, sha256 } from './testing/golden-cases.ts';
import { mutated, patchwork } from './testing/mutations.ts';

/**
 * 20,000 inputs, in the nightly 1,000,000. `SBOX_FUZZ_RUNS=N` asks for another number, `SBOX_FUZZ_SEED=N` for the inputs
 * of a run that failed; its seed and the shortest input that fails are printed.
 */
const { SBOX_FUZZ_RUNS, SBOX_FUZZ_SEED, SBOX_TEST_ALL } = process.env;
const runs = Number(SBOX_FUZZ_RUNS ?? (SBOX_TEST_ALL === '1' ? 1_000_000 : 20_000));
const maxMinutes = Math.ceil(runs / 20_000) + 1;
/** A thousand times what such an input takes. */
const maxParseMs = 1_000;

const seeds = goldenFiles
  .flatMap(({ cases }) => cases.map(({ input }) => input))
  .filter((input) => input.length < 8_192);

const input = fc.oneof(
  { weight: 16, arbitrary: mutated(seeds) },
  { weight: 2, arbitrary: patchwork(seeds) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
);

/** Parses, and lets only the problems through that a subscription may have. */
function parse(source: string | Uint8Array): ParsedSubscription | undefined {
  try {
    return parseSubscription(source, { sha256 });
  } catch (error) {
    if (!(error instanceof ProblemError) || !error.code.startsWith('subscription.')) throw error;
    return undefined;
  }
}

/** A pause of the machine happens once, a slow input is slow each time. */
function expectInTime(source: string | Uint8Array): ParsedSubscription | undefined {
  let parsed: ParsedSubscription | undefined;
  let best = Infinity;
  for (let attempt = 0; attempt < 3 && best > maxParseMs; attempt += 1) {
    const begin = performance.now();
    parsed = parse(source);
    best = Math.min(best, performance.now() - begin);
  }
  expect(best).toBeLessThanOrEqual(maxParseMs);
  return parsed;
}

const isWritten = (format: string): format is WrittenFormat => (writtenFormats as readonly string[]).includes(format);
const namesOf = (parsed: ParsedSubscription | undefined): readonly string[] =>
  parsed?.nodes.map(({ tag }) => tag) ?? [];

/** The others may hold lines of other forms; and half a surrogate pair is nothing that UTF-8 can carry. */
const unmixed: ReadonlySet<string> = new Set(['clash', 'sing-box']);

/**
 * Documents may hold what the engine that they were written for refuses, more addresses than it has keys for, and
 * HTTP/1.1 where we have one transport for it and for HTTP/2.
 */
const noEngineRunsIt = /^(?:sing-box|mihomo) (?:has|runs|does)|change (?:address|transport\.)|^it dials through /;

/** What was read is written and read again; the form that it came in has a place for every node. */
function expectWritten({ nodes, format }: ParsedSubscription, source: string, turn: number): void {
  const isOwn = unmixed.has(format) && source.isWellFormed() && /proxies|outbounds|endpoints/.test(source);
  const target = isWritten(format) ? format : (writtenFormats[turn % writtenFormats.length] ?? 'links');
  const { text, left_out } = writeSubscription(nodes, target);
  if (isOwn) expect(left_out.filter(({ reason }) => !noEngineRunsIt.test(reason))).toEqual([]);
  const missing = new Set(left_out.map(({ tag }) => tag));
  const kept = nodes.filter(({ tag }) => !missing.has(tag)).map(({ tag }) => tag);
  // sing-box has endpoints in a list of their own, behind the outbounds.
  if (kept.length > 0) expect(namesOf(parse(text)).toSorted()).toEqual(kept.toSorted());
}

test(
  `${runs} inputs give nodes or a problem, in time, and what was read can be written`,
  () => {
    let turn = 0;
    fc.assert(
      fc.property(input, (source) => {
        const parsed = expectInTime(source);
        if (parsed !== undefined) expectWritten(parsed, typeof source === 'string' ? source : '', (turn += 1));
      }),
      { numRuns: runs, ...(SBOX_FUZZ_SEED === undefined ? {} : { seed: Number(SBOX_FUZZ_SEED) }) },
    );
  },
  maxMinutes * 60_000,
);
