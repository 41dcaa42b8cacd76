import { expect, test } from '@jest/globals';
import { printTable } from './redirects.ts';

const rulesFor = (listen: string, network: 'tcp' | 'udp'): string[] =>
  printTable('t', { served: [], redirects: [{ network, listen, from: 443, to: 20_443 }] }, true)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.includes('443'));

const opening = 'tcp flags & (fin | syn | rst | ack) == syn';

test.each([
  ['::', 'tcp', `fib daddr type local tcp dport 443 ${opening} redirect to :20443`],
  ['0.0.0.0', 'tcp', `meta nfproto ipv4 fib daddr type local tcp dport 443 ${opening} redirect to :20443`],
  ['192.0.2.7', 'tcp', `ip daddr 192.0.2.7 tcp dport 443 ${opening} dnat ip to 192.0.2.7:20443`],
  ['2001:db8::7', 'udp', 'ip6 daddr 2001:db8::7 udp dport 443 dnat ip6 to [2001:db8::7]:20443'],
] as const)('%s %s', (listen, network, rule) => {
  // For what arrives, and for what programs of this machine send.
  expect(rulesFor(listen, network)).toEqual([rule, rule]);
});

test('a table replaces itself as a whole, and asks about connections even when it redirects none', () => {
  const text = printTable('t', { served: [], redirects: [] }, true);
  expect(text.startsWith('table inet t\ndelete table inet t\ntable inet t {\n')).toBe(true);
  expect(text.match(/ct state invalid$/gm)).toHaveLength(2);
});

test('of closed connections to its TCP ports nothing is kept, unless the kernel knows no such limits', () => {
  const served = [
    { network: 'tcp', listen_port: 443 },
    { network: 'udp', listen_port: 8443 },
  ] as const;
  const text = printTable('t', { served, redirects: [] }, true);
  expect(text.match(/tcp [ds]port 443 ct timeout set "closed"$/gm)).toHaveLength(4);
  expect(text).toContain('policy = { time_wait: 1, close: 1 };');
  expect(text).not.toContain('8443');
  expect(printTable('t', { served, redirects: [] }, false)).not.toContain('timeout');
});
