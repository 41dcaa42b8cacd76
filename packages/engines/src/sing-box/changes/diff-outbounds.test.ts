import { expect, test } from '@jest/globals';
import { diffOutbounds } from './diff-outbounds.ts';

test('names what came, went and changed, and never says a value', () => {
  const before = {
    outbounds: [
      { type: 'trojan', tag: 'a', password: 'old-secret', tls: { enabled: true, server_name: 'x', alpn: ['h2'] } },
      { type: 'trojan', tag: 'gone', password: 'secret' },
      { type: 'selector', tag: 's', outbounds: ['a', 'gone'] },
    ],
  };
  const after = {
    endpoints: [{ type: 'wireguard', tag: 'w', private_key: 'secret' }],
    outbounds: [
      { type: 'selector', tag: 's', outbounds: ['w', 'a'] },
      {
        tag: 'a',
        type: 'trojan',
        tls: { alpn: ['h2'], enabled: true, server_name: 'y', insecure: true },
        password: 'new-secret',
      },
    ],
  };
  const diff = diffOutbounds(before, after);
  expect(diff).toEqual({
    added: ['w'],
    removed: ['gone'],
    changed: [
      { tag: 's', fields: ['outbounds'] },
      { tag: 'a', fields: ['password', 'tls.insecure', 'tls.server_name'] },
    ],
  });
  expect(JSON.stringify(diff)).not.toContain('secret');
});

test('the order of fields is no change', () => {
  const one = { outbounds: [{ tag: 'a', type: 'http', headers: { a: ['1'], b: '2' } }] };
  const other = { outbounds: [{ headers: { b: '2', a: ['1'] }, type: 'http', tag: 'a' }] };
  expect(diffOutbounds(one, other)).toEqual({ added: [], removed: [], changed: [] });
});

test.each([undefined, null, 'x', {}])('%j has no outbounds', (nothing) => {
  expect(diffOutbounds(nothing, { outbounds: [{ type: 'direct', tag: 'd' }] })).toEqual({
    added: ['d'],
    removed: [],
    changed: [],
  });
});
