import { ProblemError } from '@sbox/core';
import { describe, expect, test } from '@jest/globals';
import { parseSubscription, type Node } from '../index.ts';
import { goldenFiles, sha256 } from '../testing/golden-cases.ts';
import { compareNodes } from './compare-node.ts';
import { writeSubscription, writtenFormats, type WrittenFormat } from './write-subscription.ts';

/** The nodes that a text gives; none for a text that is refused as a whole. */
function nodesOf(text: string | Uint8Array): readonly Node[] {
  try {
    return parseSubscription(text, { sha256 }).nodes;
  } catch (error) {
    if (error instanceof ProblemError) return [];
    throw error;
  }
}

const formatOf = (input: string): WrittenFormat | undefined => {
  try {
    return writtenFormats.find((format) => format === parseSubscription(input, { sha256 }).format);
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
};

/** Writes and reads; whatever is not there again must have been named. */
function expectRoundTrip(nodes: readonly Node[], format: WrittenFormat): void {
  const { text, left_out, warnings } = writeSubscription(nodes, format);
  const back = nodes.length === left_out.length ? [] : endpointsLast(nodesOf(text));
  const missing = new Set(left_out.map(({ tag }) => tag));
  const kept = endpointsLast(nodes.filter(({ tag }) => !missing.has(tag)));
  expect(back.map(({ tag }) => tag)).toEqual(kept.map(({ tag }) => tag));
  for (const [index, node] of kept.entries()) if (!gainsMode(node, format)) expect(back[index]?.id).toBe(node.id);
  const warned = new Map(warnings.map(({ tag, fields }) => [tag, fields]));
  for (const [index, node] of kept.entries()) {
    const difference = compareNodes(node, back[index] ?? node);
    expect(difference).toEqual({ lost: [], reduced: warned.get(node.tag) ?? [] });
  }
}

/** mihomo demands the mode that v2ray-plugin takes by itself, and a mode that is written belongs to the id. */
const gainsMode = ({ plugin, plugin_opts: options = '' }: Node, format: WrittenFormat): boolean =>
  format === 'clash' && plugin === 'v2ray-plugin' && !/(?:^|;)mode=/.test(options);

/** sing-box has endpoints in a list of their own, behind the outbounds. */
const endpointsLast = (nodes: readonly Node[]): readonly Node[] =>
  nodes.toSorted((a, b) => Number(a.type === 'wireguard') - Number(b.type === 'wireguard'));

/** Fields of sing-box that name another part of their document, or a file of another machine; and a number that is none. */
const pointsElsewhere: ReadonlySet<string> = new Set([
  'extra.domain_resolver',
  'extra.tls.certificate_path',
  'extra.hop-interval',
]);

/** What the engine of a form refuses is left out even when it came in that form. */
const refusal = /^(?:(?:sing-box|mihomo) (?:has|runs|does)|it dials through)/;

const plainJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe.each(goldenFiles)('$name', ({ cases }) => {
  test.each(cases)('$title', ({ input }) => {
    const nodes = nodesOf(input);
    for (const format of writtenFormats) expectRoundTrip(nodes, format);
    const own = formatOf(input);
    if (own === undefined || nodes.length === 0) return;
    const { text, left_out, warnings } = writeSubscription(nodes, own);
    expect(left_out.filter(({ reason }) => !refusal.test(reason))).toEqual([]);
    expect(warnings.flatMap(({ fields }) => fields).filter((field) => !pointsElsewhere.has(field))).toEqual([]);
    if (warnings.length === 0 && left_out.length === 0) expect(plainJson(nodesOf(text))).toEqual(plainJson(nodes));
  });
});
