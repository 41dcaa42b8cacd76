import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import type { Node } from '@sbox/formats';
import * as fc from 'fast-check';
import { oneNode, sampleNodes } from '../../../test/sample-nodes.ts';
import { checkReferences } from '../checks/check-references.ts';
import { composeSingBox } from './compose.ts';
import { asRecord, recordsIn, type Json } from '../document.ts';
import type { Group } from '../parts.ts';
import type { EngineTarget } from '../profile.ts';
import { remoteRuleSets } from './remote-rule-sets.ts';

const target: EngineTarget = { engine: 'sing-box', version: '1.14.4', tags: [] };
const a = oneNode({ id: 'n_a', tag: 'a' });
const b = oneNode({ id: 'n_b', tag: 'b' });
/** No build of sing-box runs it. */
const impossible = oneNode({ id: 'n_x', tag: 'x', type: 'juicity' });

const skeleton: Json = {
  outbounds: [
    { type: 'selector', tag: 'main', outbounds: ['$groups', '$nodes'], default: 'b' },
    { type: 'urltest', tag: 'test', outbounds: ['$nodes'], url: 'http://origin.test/', interval: '2m', tolerance: 7 },
    { $groups: true },
    { $nodes: true },
    { type: 'direct', tag: 'out' },
  ],
  route: { final: 'main' },
};
const group = (fields: Partial<Group>): Group => ({
  tag: 'g',
  type: 'selector',
  members: [],
  empty: 'omit',
  ...fields,
});
const compose = (groups: readonly Group[], nodes = [a, b, impossible]) =>
  composeSingBox({ skeleton, nodes, groups }, target);
const outbound = (config: Json, tag: string): Json | undefined =>
  recordsIn(config['outbounds']).find((item) => item['tag'] === tag);
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProblemError) return error.code;
    throw error;
  }
  return '';
};

describe('slots', () => {
  test('nodes and groups stand where the skeleton says, and the skeleton stays as it is', () => {
    const before = structuredClone(skeleton);
    const rendered = compose([group({ members: [{ node: 'n_b' }] })]);
    expect(recordsIn(rendered.config['outbounds']).map(({ tag }) => tag)).toEqual([
      'main',
      'test',
      'g',
      'a',
      'b',
      'out',
    ]);
    expect(outbound(rendered.config, 'main')).toEqual({
      type: 'selector',
      tag: 'main',
      outbounds: ['g', 'a', 'b'],
      default: 'b',
    });
    expect(rendered.left_out.map(({ node_id }) => node_id)).toEqual(['n_x']);
    expect(rendered.nodes).toEqual([
      { tag: 'a', node_id: 'n_a' },
      { tag: 'b', node_id: 'n_b' },
    ]);
    expect(JSON.parse(rendered.text)).toEqual(rendered.config);
    expect(rendered.text).not.toContain('$');
    expect(skeleton).toEqual(before);
  });

  test('a default that is not there goes', () => {
    expect(outbound(compose([], [a]).config, 'main')).not.toHaveProperty('default');
  });

  test('without slots nodes have no place, and it says so', () => {
    const { config, warnings, nodes } = composeSingBox(
      { skeleton: { outbounds: [{ type: 'direct', tag: 'out' }] }, nodes: [a], groups: [group({})] },
      target,
    );
    expect(config).toEqual({ outbounds: [{ type: 'direct', tag: 'out' }] });
    expect(nodes).toEqual([]);
    expect(warnings.map(({ code }) => code)).toEqual(['template.no-slot', 'template.no-slot']);
  });

  test.each([
    [[{ $nodes: true }, { $nodes: true }], 'more than once'],
    [[{ type: 'selector', tag: 's', outbounds: ['$nodes'] }], 'uses "$nodes"'],
  ])('%j is refused', (outbounds, words) => {
    const run = () => composeSingBox({ skeleton: { outbounds }, nodes: [a] }, target);
    expect(codeOf(run)).toBe('template.invalid');
    expect(run).toThrow(words);
  });

  test('a document without slots stays the same, whatever its order', () => {
    const document = { route: { final: 'x' }, outbounds: [{ type: 'selector', tag: 'x', outbounds: [] }], extra: 1 };
    const { config, text } = composeSingBox({ skeleton: document, nodes: [] }, target);
    expect(config).toEqual(document);
    expect(text.indexOf('outbounds')).toBeLessThan(text.indexOf('route'));
  });

  test('the skeleton keeps its tags, then groups, then nodes', () => {
    const named = oneNode({ id: 'n_mmmm', tag: 'main' });
    const other = oneNode({ id: 'n_gggg', tag: 'g' });
    const renamed = oneNode({ id: 'n_oooo', tag: 'out 2' });
    const { config, warnings } = compose(
      [group({ members: [{ node: 'n_mmmm' }] }), group({ tag: 'out', members: [{ node: 'n_gggg' }] })],
      [named, other, renamed],
    );
    expect(recordsIn(config['outbounds']).map(({ tag }) => tag)).toEqual(
      'main,test,g,out 2,main mmmm,g gggg,out 2 oooo,out'.split(','),
    );
    expect(outbound(config, 'out 2')).toMatchObject({ outbounds: ['g gggg'] });
    expect(warnings.map(({ code }) => code)).toEqual(['group.renamed']);
  });

  test('nothing that the engine can run is an error where the skeleton has a place', () => {
    expect(codeOf(() => compose([], [impossible]))).toBe('config.no-nodes');
    expect(codeOf(() => compose([], []))).toBe('config.no-nodes');
    const optional = { outbounds: [{ type: 'selector', tag: 's', outbounds: ['out', '$nodes'] }, { $nodes: true }] };
    expect(codeOf(() => composeSingBox({ skeleton: optional, nodes: [] }, target))).toBe('');
    expect(codeOf(() => composeSingBox({ skeleton: optional, nodes: [impossible] }, target))).toBe('config.no-nodes');
  });
});

describe('groups', () => {
  test('know their members by id, whatever the nodes are called', () => {
    const members = [
      { node: 'n_b' },
      { node: 'n_a' },
      { node: 'n_b' },
      { node: 'n_x' },
      { builtin: 'direct' },
    ] as const;
    const renamed = [a, b].map((node, index) => ({ ...node, tag: `new ${index}` }));
    const { config } = compose([group({ members, default: { node: 'n_a' } })], renamed);
    expect(outbound(config, 'g')).toEqual({
      type: 'selector',
      tag: 'g',
      outbounds: ['new 1', 'new 0', 'out'],
      default: 'new 0',
      interrupt_exist_connections: false,
    });
  });

  test('a default that was left out is no default', () => {
    const { config } = compose([group({ members: [{ node: 'n_a' }, { node: 'n_x' }], default: { node: 'n_x' } })]);
    expect(outbound(config, 'g')).not.toHaveProperty('default');
  });

  test('it is said what a selector starts with instead', () => {
    const members = [{ builtin: 'direct' as const }, { node: 'n_a' }];
    const { warnings } = compose([group({ members, default: { node: 'n_x' } }), group({ tag: 'h', members })]);
    expect(warnings).toEqual([
      {
        code: 'group.default-missing',
        path: 'groups[0]',
        message: '"g" starts with "out", because the member that it should start with is not there',
      },
    ]);
  });

  test('test as the first urltest of the skeleton does, and longer than half an hour', () => {
    const members = [{ node: 'n_a' }];
    const { config } = compose([
      group({ tag: 'plain', type: 'urltest', members }),
      group({ tag: 'rare', type: 'urltest', members, interval: '1h', url: 'http://other.test/', tolerance: 1 }),
    ]);
    expect(outbound(config, 'plain')).toMatchObject({ url: 'http://origin.test/', interval: '2m', tolerance: 7 });
    expect(outbound(config, 'plain')).not.toHaveProperty('idle_timeout');
    expect(outbound(config, 'rare')).toMatchObject({ interval: '1h', idle_timeout: '1h', tolerance: 1 });
  });

  test('fallback and load-balance are urltests, with a warning', () => {
    const members = [{ node: 'n_a' }];
    const { config, warnings } = compose([
      group({ tag: 'f', type: 'fallback', members }),
      group({ tag: 'l', type: 'load-balance', members }),
    ]);
    expect(outbound(config, 'f')).toMatchObject({ type: 'urltest', tolerance: 65_535 });
    expect(outbound(config, 'l')).toMatchObject({ type: 'urltest', tolerance: 7 });
    expect(warnings.map(({ code, path }) => [code, path])).toEqual([
      ['group.approximated', 'groups[0]'],
      ['group.approximated', 'groups[1]'],
    ]);
  });

  test.each([
    ['direct', ['out']],
    ['block', ['block']],
  ] as const)('an empty one is %s', (empty, outbounds) => {
    const { config } = compose([group({ empty })]);
    expect(outbound(config, 'g')).toMatchObject({ outbounds });
    if (empty === 'block') expect(outbound(config, 'block')).toEqual({ type: 'block', tag: 'block' });
  });

  test('an omitted one goes out of all groups that name it, and they may follow', () => {
    const { config } = compose([
      group({ tag: 'top', members: [{ group: 'middle' }, { group: 'test' }] }),
      group({ tag: 'middle', members: [{ group: 'low' }] }),
      group({ tag: 'other', members: [{ group: 'middle' }], empty: 'direct' }),
      group({ tag: 'low', members: [{ node: 'n_x' }] }),
    ]);
    expect(outbound(config, 'main')).toMatchObject({ outbounds: ['top', 'other', 'a', 'b'] });
    expect(outbound(config, 'top')).toMatchObject({ outbounds: ['test'] });
    expect(outbound(config, 'middle')).toBeUndefined();
    expect(outbound(config, 'other')).toMatchObject({ outbounds: ['out'] });
  });

  test('one that must not be empty fails the render', () => {
    const run = () => compose([group({ empty: 'fail', members: [{ node: 'n_x' }] })]);
    expect(codeOf(run)).toBe('config.group-empty');
    expect(run).toThrow('the group "g" has no members');
  });

  test('a member that nobody knows is told', () => {
    const { warnings } = compose([group({ members: [{ group: 'nobody' }, { node: 'n_a' }] })]);
    expect(warnings.map(({ code }) => code)).toEqual(['group.member-missing']);
  });

  test('a group of the skeleton has an answer too', () => {
    const item = { type: 'selector', tag: 's', outbounds: ['$groups'], $empty: 'omit' };
    const { config } = composeSingBox(
      { skeleton: { outbounds: [item, { $groups: true }, { $nodes: true }] }, nodes: [a] },
      target,
    );
    expect(recordsIn(config['outbounds']).map(({ tag }) => tag)).toEqual(['a']);
  });
});

describe('rule-sets', () => {
  const url = 'https://rules.test/a.srs';
  const file = { path: 'rule-sets/aa.srs', digest: 'sha256:aa', size: 3 };
  const document: Json = {
    route: {
      rule_set: [
        { type: 'remote', tag: 'a', url, http_client: 'h', update_interval: '1d' },
        { type: 'remote', tag: ['x', 'y'], url: 'https://rules.test/{tag}.json' },
        { type: 'inline', tag: 'i', rules: [] },
      ],
    },
  };

  test('remote ones are found', () => {
    expect(remoteRuleSets(document)).toEqual([
      { url, tag: 'a', format: 'binary' },
      { url: 'https://rules.test/x.json', tag: 'x', format: 'source' },
      { url: 'https://rules.test/y.json', tag: 'y', format: 'source' },
    ]);
    expect(remoteRuleSets(undefined)).toEqual([]);
  });

  test('mirrored ones become files of the rendition, the others stay', () => {
    const rule_sets = new Map([
      [url, file],
      ['https://rules.test/y.json', { ...file, path: 'rule-sets/yy.json' }],
    ]);
    const { config, files } = composeSingBox({ skeleton: document, nodes: [], rule_sets }, target);
    expect(asRecord(config['route'])['rule_set']).toEqual([
      { type: 'local', tag: 'a', format: 'binary', path: 'rule-sets/aa.srs' },
      { type: 'remote', tag: 'x', url: 'https://rules.test/x.json' },
      { type: 'local', tag: 'y', format: 'source', path: 'rule-sets/yy.json' },
      { type: 'inline', tag: 'i', rules: [] },
    ]);
    expect(files.map(({ path }) => path)).toEqual(['rule-sets/aa.srs', 'rule-sets/yy.json']);
  });

  test('the file says what format it has, whatever the address says', () => {
    const rule_sets = new Map([[url, { ...file, path: 'rule-sets/aa.json' }]]);
    const { config } = composeSingBox({ skeleton: document, nodes: [], rule_sets }, target);
    expect(recordsIn(asRecord(config['route'])['rule_set'])[0]).toMatchObject({ format: 'source' });
  });

  test.each([
    ['1.11.15', 3, undefined],
    ['1.12.23', 4, 'sing-box 1.13 or newer'],
    ['1.13.21', 4, undefined],
    ['1.13.21', 5, 'sing-box 1.14 or newer'],
    ['1.13.21', 6, 'sing-box newer than 1.14'],
    ['1.14.4', 5, undefined],
  ])('sing-box %s and a rule-set of version %d', (version, format_version, needed) => {
    const remote: Json = { route: { rule_set: [{ type: 'remote', tag: 'a', url }] } };
    const rule_sets = new Map([[url, { ...file, format_version }]]);
    const run = () => composeSingBox({ skeleton: remote, nodes: [], rule_sets }, { ...target, version });
    if (needed === undefined) expect(run()).toMatchObject({ files: [file], warnings: [] });
    else expect(run).toThrow(`the rule-set "a" is of version ${format_version}, which needs ${needed}`);
    expect(codeOf(run)).toBe(needed === undefined ? '' : 'template.unsupported');
  });

  test('a version that is not known here is left to the newest engines, with a warning', () => {
    const rule_sets = new Map([[url, { ...file, format_version: 6 }]]);
    const { warnings, files } = composeSingBox({ skeleton: document, nodes: [], rule_sets }, target);
    expect(warnings).toMatchObject([{ code: 'rule-set.unknown-version', path: 'route.rule_set[0]' }]);
    expect(files).toEqual([file]);
  });
});

test('whatever the groups are, nothing in the result is missing, empty or there twice', () => {
  const count = 6;
  const tag = fc.constantFrom('g', 'h', 'main', 'out', 'a', 'direct', 'block', '$nodes');
  const groupAt = (index: number): fc.Arbitrary<Group> =>
    fc.record({
      tag: tag.map((name) => (index % 2 === 0 ? `${name} ${index}` : name)),
      type: fc.constantFrom('selector', 'urltest', 'fallback', 'load-balance'),
      empty: fc.constantFrom('direct', 'block', 'omit'),
      // Only groups behind it, so that none waits for itself.
      members: fc.array(
        fc.oneof(
          fc.constantFrom('n_a', 'n_b', 'n_x', 'n_nobody').map((node) => ({ node })),
          fc.constantFrom<'direct' | 'block'>('direct', 'block').map((builtin) => ({ builtin })),
          fc.constantFrom(...[2, 4, 6].filter((other) => other > index)).map((other) => ({ group: `g ${other}` })),
        ),
        { maxLength: 3 },
      ),
    });
  const groups = fc.tuple(...Array.from({ length: count }, (_, index) => groupAt(index)));
  fc.assert(
    fc.property(groups, fc.subarray([a, b, impossible]), (given, nodes) => {
      let config: Json;
      try {
        ({ config } = composeSingBox({ skeleton, nodes, groups: given }, target));
      } catch (error) {
        expect((error as ProblemError).code).toBe('config.no-nodes');
        return;
      }
      const findings = checkReferences(config).filter(({ code }) => code !== 'resolver.missing');
      expect(findings).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('a tunnel to a name is a warning where the engine would end without it', () => {
  const sample = sampleNodes.find(({ type }) => type === 'wireguard') as Node;
  const [peer] = sample.peers ?? [];
  const tunnel = { ...sample, peers: [{ ...peer!, address: 'tunnel.example.test' }] };
  const tags = ['with_wireguard', 'with_gvisor'];
  const warned = (version: string) =>
    composeSingBox({ skeleton, nodes: [tunnel] }, { engine: 'sing-box', version, tags }).warnings;
  expect(warned('1.13.0')).toMatchObject([{ code: 'wireguard.named-peer', path: 'endpoints[0].peers[0].address' }]);
  expect(warned('1.14.0')).toEqual([]);
});

test('a group without a node is named, with what stands for it', () => {
  const { warnings } = compose([group({ tag: 'gone' }), group({ tag: 'out of the way', empty: 'direct' })]);
  expect(warnings.map(({ code, message }) => [code, message])).toEqual([
    ['group.empty', 'no node is in the group "gone", so it is left out (empty: omit)'],
    ['group.empty', 'no node is in the group "out of the way", so everything in it goes to "out" (empty: direct)'],
  ]);
});
