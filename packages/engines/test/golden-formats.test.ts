import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { nodeTypes, parseSubscription, type Node } from '@sbox/formats';
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

const encoders: Readonly<Record<string, (text: string) => string>> = {
  b64: (text) => Buffer.from(text).toString('base64'),
  b64url: (text) => Buffer.from(text).toString('base64url'),
  b64pct: (text) => encodeURIComponent(Buffer.from(text).toString('base64')),
  b64lines: (text) => Buffer.from(text).toString('base64').replace(/.{20}/g, '$&\r\n'),
  crlf: () => '\r\n',
};

/** What the cases of formats write short; one it does not know stays as it is. */
function expand(text: string): string {
  const expanded = text.replace(
    /⟦(\w+):([^⟦⟧]*)⟧/g,
    (all, name: string, inner: string) => encoders[name]?.(inner) ?? all,
  );
  return expanded === text ? text : expand(expanded);
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
    const { nodes } = parseSubscription(input, { sha256: (bytes) => hash('sha256', bytes, 'buffer') });
    return nodes.map(withWholeKeys);
  } catch (error) {
    if (error instanceof ProblemError) return [];
    throw error;
  }
}

const formats = path.resolve(import.meta.dirname, '../../formats/src');
const folders = readdirSync(formats)
  .map((area) => path.join(formats, area, 'cases'))
  .filter((folder) => existsSync(folder));
const goldenNodes: readonly GoldenNodes[] = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .flatMap((file) =>
      readFileSync(path.join(folder, file), 'utf8')
        .split(/^== /m)
        .slice(1)
        .map((block) => {
          const [title = '', ...lines] = block.split('\n');
          const input = lines.slice(0, lines.indexOf('--')).join('\n');
          return { name: `${file}: ${title}`, nodes: nodesOf(expand(input)) };
        }),
    ),
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
