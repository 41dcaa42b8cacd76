import { afterAll, describe, expect, test } from '@jest/globals';
import { checkReferences, composeSingBox, type Json } from '@sbox/engines/sing-box/render';
import type { Node } from '@sbox/formats';
import type { Pipeline } from '@sbox/protocol/pipeline';
import { fillTemplate, patchDocument, readyTemplate, runPipeline } from '../src/index.ts';
import { createWorkplace, engines } from './real-engines.ts';

const place = createWorkplace();
afterAll(() => place.remove());

const node = (id: string, tag: string): Node => ({
  id: `n_${id}`,
  tag,
  type: 'shadowsocks',
  server: `${id}.test`,
  server_port: 443,
  method: 'aes-256-gcm',
  password: id,
});

const pipeline: Pipeline = [
  { operator: 'group', tag: 'Germany', type: 'urltest', match: { country: 'DE' } },
  { operator: 'group', tag: 'Nowhere', type: 'selector', match: { name: 'nothing is called so' } },
  { operator: 'group', tag: 'Work', type: 'fallback', match: { country: 'NL' }, empty: 'block' },
  { operator: 'group', tag: 'All', type: 'selector', match: {}, groups: ['Germany', 'Nowhere', 'direct'] },
];

const configFrom = (nodes: readonly Node[], target = engines[0]!.target) => {
  const piped = runPipeline([{ subscription: 'one', nodes }], pipeline);
  const template = readyTemplate('mixed')!;
  const skeleton = patchDocument(fillTemplate(template), [
    { op: 'add', path: '/route/rules/-', value: { domain_suffix: ['de'], action: 'route', outbound: 'Germany' } },
  ]);
  return composeSingBox({ skeleton, nodes: piped.nodes.map((one) => one.node), groups: piped.groups }, target);
};
const outbound = (config: Json, tag: string): unknown =>
  (config['outbounds'] as Json[]).find((item) => item['tag'] === tag);

describe.each(engines)('$name', (engine) => {
  test('takes nodes and groups of a pipeline in a patched template', () => {
    const { config, text, warnings } = configFrom([node('a', 'DE 1'), node('b', 'FR 1')], engine.target);
    expect(place.check(engine, text)).toBe('');
    expect(checkReferences(config)).toEqual([]);
    expect(outbound(config, 'select')).toMatchObject({ outbounds: ['auto', 'Germany', 'Work', 'All', 'DE 1', 'FR 1'] });
    expect(outbound(config, 'All')).toMatchObject({ outbounds: ['Germany', 'direct', 'DE 1', 'FR 1'] });
    expect(outbound(config, 'Work')).toMatchObject({ type: 'urltest', outbounds: ['block'] });
    expect(outbound(config, 'Nowhere')).toBeUndefined();
    expect(warnings.map(({ code }) => code)).toEqual(['group.approximated', 'group.empty', 'group.empty']);
  });
});

test('a provider that renames its nodes changes no group', () => {
  const before = configFrom([node('a', 'DE 1'), node('b', 'FR 1')]);
  const after = configFrom([node('a', 'Berlin 🇩🇪 new'), node('b', 'Paris 🇫🇷 new')]);
  const idsIn = ({ config, nodes }: typeof before, tag: string): unknown[] => {
    const { outbounds } = outbound(config, tag) as { outbounds: string[] };
    return outbounds.map((member) => nodes.find((one) => one.tag === member)?.node_id ?? member);
  };
  for (const tag of ['Germany', 'All', 'select', 'auto']) expect(idsIn(after, tag)).toEqual(idsIn(before, tag));
});
