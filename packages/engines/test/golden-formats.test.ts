import { ProblemError } from '@sbox/core';
import { nodeTypes, parseSubscription, type Node } from '@sbox/formats';
import { goldenFiles, sha256 } from '@sbox/formats/golden-cases';
import { afterAll, describe, expect, test } from '@jest/globals';
import { renderSingBox, writeNodes } from '../src/sing-box/render.ts';
import { key32 } from './arbitrary-nodes.ts';
import { createWorkplace, engines } from './real-engine.ts';

const place = createWorkplace();
afterAll(() => place.remove());

interface GoldenNodes {
  /** File and title of the case. */
  readonly name: string;
  readonly nodes: readonly Node[];
}

/** The cases write keys short; an engine wants them whole. */
function withWholeKeys(node: Node): Node {
  const text = JSON.stringify(node)
    .replace(/"uuid":"u[-\w]*"/, `"uuid":"2dd61d93-75d8-4da4-ac0e-6aece7eac365"`)
    .replace(
      /"reality":\{"enabled":true,"public_key":"[^"]*"/,
      `"reality":{"enabled":true,"public_key":"${'A'.repeat(43)}"`,
    );
  if (node.type !== 'wireguard') return JSON.parse(text) as Node;
  return JSON.parse(text.replace(/"(private_key|public_key|pre_shared_key)":"[^"]*"/g, `"$1":"${key32}"`)) as Node;
}

function nodesOf(input: string): readonly Node[] {
  try {
    const { nodes } = parseSubscription(input, { sha256 });
    return nodes.map(withWholeKeys);
  } catch (error) {
    if (error instanceof ProblemError) return [];
    throw error;
  }
}

const goldenNodes: readonly GoldenNodes[] = goldenFiles.flatMap(({ name: file, cases }) =>
  cases.map(({ title, input }) => ({ name: `${file}: ${title}`, nodes: nodesOf(input) })),
);
const allNodes = goldenNodes.flatMap(({ nodes }) => nodes);

describe.each(engines)('$name', (engine) => {
  test('accepts the nodes of all golden cases of formats in one document', () => {
    expect(allNodes.length).toBeGreaterThan(100);
    const { text, nodes, left_out } = renderSingBox(allNodes, engine.target);
    expect(nodes.length + left_out.length).toBe(allNodes.length);
    for (const { reason } of left_out) expect(reason).not.toBe('');
    if (place.check(engine, text) === undefined) return;
    const culprits = goldenNodes.flatMap(({ name, nodes: own }) => {
      const { parts } = writeNodes(own, engine.target);
      if (parts.length === 0) return [];
      const words = place.check(engine, renderSingBox(own, engine.target).text);
      return words === undefined ? [] : [`${name}: ${words}`];
    });
    expect(culprits).toEqual([]);
    expect(place.check(engine, text)).toBeUndefined();
  });
});

/** What sing-box has in no node of the kind: socks and shadowsocks inside TLS, hysteria that does not look like UDP. */
const known = new Set(['tls', 'transport', 'encryption', 'protocol']);

test('no node is left out for a field that only we call by that name', () => {
  const tags = ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_naive_outbound'];
  const { left_out } = writeNodes(allNodes, { engine: 'sing-box', version: '1.14.4', tags });
  const fields = left_out.flatMap(({ reason }) => /^sing-box has no ([a-z_.]+)$/.exec(reason)?.[1] ?? []);
  const types = new Set<string>(nodeTypes);
  expect(fields.filter((field) => !known.has(field) && !types.has(field))).toEqual([]);
});
