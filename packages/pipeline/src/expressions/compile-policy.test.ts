import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import fc from 'fast-check';
import { blamed, expressionNodes, readyExpressions } from '../policies.ts';
import { runPipeline } from '../run-pipeline.ts';
import { exampleNode } from '../testing/nodes.ts';
import { compilePolicy, createExpressionContext, type Blame } from './index.ts';

const { nodes } = runPipeline(
  [
    {
      subscription: 'main',
      nodes: [
        exampleNode(0, { tag: 'DE 1' }),
        exampleNode(1, { tag: 'NL 1', server_port: 8443 }),
        exampleNode(2, { tag: 'Fast', tls: { enabled: true, insecure: true } }),
      ],
    },
  ],
  [],
);
const config = {
  log: { level: 'debug' },
  dns: {
    servers: [
      { type: 'https', tag: 'good', server: '1.1.1.1' },
      { type: 'udp', tag: 'plain', server: '8.8.8.8', server_port: 53 },
    ],
  },
  inbounds: [
    { type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 2080 },
    {
      type: 'socks',
      tag: 'wide',
      listen: '::',
      listen_port: 1080,
      users: [{ username: 'me', password: 'very-secret' }],
    },
  ],
  outbounds: [
    { type: 'direct', tag: 'direct' },
    { type: 'trojan', tag: 'Fast', password: 'very-secret', tls: { enabled: true, insecure: true } },
  ],
};
const settings = { log_level: 'debug', urltest: { tolerance: 50 } };
const version = { config: 'main', template: 'mixed', subscriptions: ['main'], rule_sets: [], engine: 'sing-box 1.14' };
const context = createExpressionContext(config, { nodes: expressionNodes(nodes), settings, version });

const judge = (text: string): Blame | undefined => compilePolicy(text)(context);
const names = (text: string): string[] => {
  const blame = judge(text);
  if (blame === undefined) return ['fine'];
  return blame.places.map((place) => ('node' in place ? place.node.tag : `${place.path} ${place.tag ?? ''}`.trim()));
};
const problemOf = (attempt: () => unknown): { code: string; detail: string; details?: unknown } => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ProblemError) return { code: error.code, detail: error.message, details: error.details };
    throw error;
  }
  return { code: 'none', detail: '' };
};

describe('what is found', () => {
  test.each([
    ['config.dns.servers.all(s, s.type in ["tls", "https", "quic", "h3"])', ['dns.servers[1] plain']],
    ['nodes.all(n, n.country != "DE")', ['DE 1']],
    ['!nodes.exists(n, n.country == "DE")', ['DE 1']],
    ['config.inbounds.all(i, !(i.listen in ["::", "0.0.0.0"]))', ['inbounds[1] wide']],
    ['size(nodes) >= 3', ['fine']],
    ['size(nodes) >= 4', []],
    ['config.log.level != "debug"', []],
    ['settings.log_level != "info"', ['fine']],
    ['settings.urltest.tolerance + 1 == 51', ['fine']],
    ['config.outbounds.all(o, !has(o.tls) || !has(o.tls.insecure) || !o.tls.insecure)', ['outbounds[1] Fast']],
    ['config.outbounds.all(o, !o.?tls.?insecure.orValue(false))', ['outbounds[1] Fast']],
    ['nodes.all(n, n.port == 443) && config.inbounds.all(i, i.listen_port > 2000)', ['NL 1', 'inbounds[1] wide']],
    ['config.dns.servers.filter(s, s.type == "udp").all(s, s.server_port != 53)', ['dns.servers[1] plain']],
    ['nodes.all(n, n.name.matches("^[A-Z]{2} \\\\d$"))', ['Fast']],
    ['nodes.all(n, !n.name.matches("matches"))', ['fine']],
    ['version.engine.startsWith("sing-box ") && version.config == "main"', ['fine']],
  ])('%s', (text, found) => {
    expect(names(text)).toEqual(found);
  });

  test('the ready ones', () => {
    const found = readyExpressions.flatMap((policy) => blamed(policy, judge(policy.expression ?? '')));
    expect(found.map(({ policy, path = '' }) => `${policy} ${path}`)).toEqual([
      'encrypted-dns dns.servers[1]',
      'open-inbound inbounds[1]',
      'debug-log ',
      'unchecked-certificate outbounds[1]',
    ]);
    const empty = createExpressionContext({}, { nodes: [], settings: {}, version });
    for (const { expression } of readyExpressions) expect(compilePolicy(expression ?? '')(empty)).toBeUndefined();
  });

  test('a hundred places are named, the others counted', () => {
    const many = createExpressionContext(
      { outbounds: Array.from({ length: 250 }, (_, index) => ({ tag: `t${index}` })) },
      { nodes: [], settings, version },
    );
    const blame = compilePolicy('config.outbounds.all(o, o.tag == "x")')(many);
    expect([blame?.places.length, blame?.more]).toEqual([100, 150]);
    const policy = { name: 'x', verdict: 'deny' as const, reason: 'no' };
    expect(blamed(policy, blame).at(-1)).toEqual({ policy: 'x', verdict: 'deny', reason: 'no', count: 150 });
  });

  test('no expression can ask for what is secret', () => {
    expect(names('config.outbounds.all(o, o.?password.orValue("***") == "***")')).toEqual(['fine']);
    expect(names('config.inbounds[1].users.all(u, u.password == "***" && u.username == "***")')).toEqual(['fine']);
  });
});

describe('what is refused', () => {
  test.each([
    ['nodes.all(n, n.nam == "x")', 'line 1, column 16: No such key: nam'],
    ['true &&\n  node == 1', 'line 2, column 3: Unknown variable: node'],
    ['frobnicate(1) == 1', "line 1, column 1: found no matching overload for 'frobnicate(int)'"],
    ['nodes.size(', 'line 1, column 12: Unexpected token: EOF'],
    ['size(nodes)', 'the expression gives int, not true or false'],
    ['config', 'the expression gives map<string, dyn>, not true or false'],
    ['nodes.all(n, n.name.matches("(a"))', 'the regular expression "(a" cannot be used: missing closing ): `(a`'],
    ['nodes.all(n, n.name.matches("(?=a)"))', 'invalid or unsupported Perl syntax'],
    ['nodes.all(n, n.name.matches(1))', "no matching overload for 'string.matches(int)'"],
    ['b"a" == b"a"', 'bytes are no part of policies'],
    ['bytes("a") == bytes("b")', 'bytes are no part of policies'],
    [`${'('.repeat(200)}true${')'.repeat(200)}`, 'Exceeded maxDepth (40)'],
    [`1 in [${'1,'.repeat(400)}1]`, 'Exceeded maxListElements (300)'],
    [`size("" + ${'"" + '.repeat(600)}"") == 0`, 'Exceeded maxAstNodes (1000)'],
    ['x'.repeat(5000), 'longer than 4000 characters'],
    ['', 'Unexpected token: EOF'],
  ])('%.60s', (text, words) => {
    const { code, detail } = problemOf(() => compilePolicy(text));
    expect(code).toBe('policy.invalid');
    expect(detail).toContain(words);
  });

  test('what is missing in the config fails, and says how to ask for it', () => {
    expect(problemOf(() => judge('config.route.final == "auto"'))).toMatchObject({
      code: 'policy.failed',
      detail: 'line 1, column 8: No such key: route (ask first: has(x.route))',
      details: { line: 1, column: 8 },
    });
    expect(problemOf(() => judge('nodes[9].name == "x"')).code).toBe('policy.failed');
    expect(problemOf(() => judge('config.constructor.name == "Object"')).code).toBe('policy.failed');
    expect(problemOf(() => judge('nodes.all(n, "a".matches(n.name + "("))')).code).toBe('policy.failed');
  });
});

test('whatever is written gives an answer or one of two problems', () => {
  const words = [
    'nodes',
    'config',
    '.all(n,',
    '.matches(',
    ')',
    'n.name',
    '"a"',
    '==',
    '&&',
    '!',
    '(',
    '[0]',
    '.?x',
    ' ',
  ];
  const texts = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.array(fc.constantFrom(...words), { maxLength: 14 }).map((some) => some.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const { code } = problemOf(() => judge(text));
      expect(['none', 'policy.invalid', 'policy.failed']).toContain(code);
    }),
    { numRuns: 500 },
  );
});
