import { ProblemError } from '@sbox/core';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseSubscription, type Node } from '../index.ts';
import { arbitraryNode, arbitraryNodes } from '../testing/arbitrary-nodes.ts';
import { sha256 } from '../testing/golden-cases.ts';
import { compareNodes } from './compare-node.ts';
import { writeSubscription, writtenFormats } from './write-subscription.ts';

function read(text: string): readonly Node[] {
  try {
    return parseSubscription(text, { sha256 }).nodes;
  } catch (error) {
    if (error instanceof ProblemError && error.code.startsWith('subscription.')) return [];
    throw error;
  }
}

/** sing-box has endpoints in a list of their own, behind the outbounds. */
const endpointsLast = (nodes: readonly Node[]): readonly Node[] =>
  nodes.toSorted((a, b) => Number(a.type === 'wireguard') - Number(b.type === 'wireguard'));

const plainJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe.each(writtenFormats)('%s', (format) => {
  test('what is written is there when it is read, and what is not is named', () => {
    fc.assert(
      fc.property(arbitraryNodes, (nodes) => {
        const { text, left_out, warnings } = writeSubscription(nodes, format);
        const missing = new Set(left_out.map(({ tag }) => tag));
        const kept = endpointsLast(nodes.filter(({ tag }) => !missing.has(tag)));
        const back = kept.length === 0 ? [] : endpointsLast(read(text));
        expect(back.map(({ tag }) => tag)).toEqual(kept.map(({ tag }) => tag));
        const warned = new Map(warnings.map(({ tag, fields }) => [tag, fields]));
        for (const [index, node] of kept.entries()) {
          const { detour, ...other } = back[index] ?? node;
          const difference = compareNodes(node, detour === undefined ? other : { ...other, detour });
          expect(difference).toEqual({ lost: [], reduced: warned.get(node.tag) ?? [] });
        }
      }),
      { numRuns: 300 },
    );
  });

  test('what was read from a form is written in that form without any loss', () => {
    fc.assert(
      fc.property(arbitraryNodes, (nodes) => {
        const first = writeSubscription(nodes, format);
        const once = first.left_out.length === nodes.length ? [] : read(first.text);
        fc.pre(once.length > 0);
        const { text, left_out, warnings } = writeSubscription(once, format);
        expect({ left_out, warnings }).toEqual({ left_out: [], warnings: [] });
        expect(plainJson(read(text))).toEqual(plainJson(once));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the comparison', () => {
  test('notices every field that is missing', () => {
    fc.assert(
      fc.property(arbitraryNode, fc.nat(), (node, choice) => {
        const fields = Object.keys(node).filter((field) => field !== 'tag');
        const field = fields[choice % fields.length] ?? '';
        const { [field as keyof typeof node]: _gone, ...rest } = node;
        const { lost, reduced } = compareNodes(node, rest as typeof node);
        // What every reader takes when nothing is said.
        const isDefault = ['"auto"', '"5"'].includes(JSON.stringify(node[field as keyof typeof node]));
        const named = [...lost, ...reduced].some((path) => path === field || path.startsWith(`${field}.`));
        expect(named).toBe(!isDefault);
      }),
      { numRuns: 500 },
    );
  });
});
