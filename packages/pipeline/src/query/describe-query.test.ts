import { expect, test } from '@jest/globals';
import type { NodeQuery } from '@sbox/protocol/pipeline';
import { describeQuery } from './describe-query.ts';

test.each<[NodeQuery, string]>([
  [{}, 'every node'],
  [{ country: ['DE', 'NL'], not: { name: 'x2' } }, 'country DE or NL, not name like x2'],
  [{ udp: true, insecure: false }, 'udp, no insecure'],
  [{ any: [{ port: 443 }, { names: ['A', 'B'], udp: true }] }, '(port 443) or (name A or B, udp)'],
  [{ expression: 'port == 443' }, 'port == 443'],
  [{ id: ['1', '2', '3', '4', '5', '6', '7'] }, 'id 1 or 2 or 3 or 4 or 5 or 2 more'],
  [{ name: 'x'.repeat(500) }, `name like ${'x'.repeat(189)}…`],
])('%j', (query, text) => {
  expect(describeQuery(query)).toBe(text);
});
