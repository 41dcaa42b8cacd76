import { expect, test } from '@jest/globals';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import { findObstacle, parseRuleset } from './ruleset.ts';

const port = (listen: string): ListenPort => ({
  tag: 'in',
  path: 'inbounds[0]',
  listen,
  listen_port: 443,
  network: 'tcp',
});
const obstacle = (text: string, listen = '::'): string | undefined =>
  findObstacle(parseRuleset(text), [port(listen)], ['192.0.2.7']);

const chain = (hook: string, rules: string, policy = 'accept', table = 'inet filter'): string =>
  `table ${table} {\n\tchain input {\n\t\ttype ${hook} priority filter; policy ${policy};\n\t\t${rules}\n\t}\n}\n`;
const input = (rules: string, policy?: string): string => chain('filter hook input', rules, policy);
const nat = (rules: string): string => chain('nat hook prerouting', rules, 'accept', 'ip nat');

test('chains are found with their hook, policy and rules', () => {
  const text = `table inet filter {
	set banned {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}

	chain input {
		comment "ours"
		type filter hook input priority filter; policy drop;
		iif "lo" accept
		jump more
	}

	chain more {
		tcp dport 22 accept
	}
}
# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
}
`;
  expect(parseRuleset(text)).toEqual([
    {
      table: 'inet filter',
      name: 'input',
      base: { type: 'filter', hook: 'input', policy: 'drop' },
      rules: ['iif "lo" accept', 'jump more'],
    },
    { table: 'inet filter', name: 'more', base: undefined, rules: ['tcp dport 22 accept'] },
  ]);
});

test.each([
  ['nothing', ''],
  ['a firewall that lets everything in', input('counter packets 0 bytes 0')],
  ['what belongs to no connection', input('ct state invalid drop')],
  ['other ports', input('tcp dport { 22, 3306 } drop')],
  ['some sources', input('ip saddr @banned drop')],
  [
    'a firewall that knows of redirects',
    input('ct state established,related accept\n\t\tct status dnat accept', 'drop'),
  ],
  ['a redirect to another port', nat('tcp dport 80 redirect to :8080')],
  ['another machine', nat('tcp dport 8443 dnat to 172.17.0.2:443')],
  ['the same port of another protocol', nat('udp dport 443 redirect to :8443')],
  ['the same port of another machine', nat('ip daddr 192.0.2.8 tcp dport 443 dnat to 172.17.0.2:443')],
  ['all ports but a few', nat('tcp dport != { 80, 400-500 } redirect to :8080')],
  ['what only passes through', nat('fib daddr type != local tcp dport 443 redirect to :8443')],
  [
    'a table of another agent',
    chain('nat hook prerouting', 'tcp dport 80 redirect to :443', 'accept', 'inet sboxagent_00000000_edge'),
  ],
])('no obstacle: %s', (_, text) => expect(obstacle(text)).toBeUndefined());

test.each([
  ['a firewall that drops the rest', input('tcp dport 443 accept', 'drop'), 'policy drop'],
  [
    'the same as a rule',
    input('tcp dport 443 accept\n\t\tcounter packets 0 bytes 0 drop'),
    'counter packets 0 bytes 0 drop',
  ],
  ['all but a few ports', input('tcp dport != { 22, 443 } reject'), 'reject'],
  ['a range', input('tcp dport 1024-65535 drop'), 'dport 1024-65535'],
  ['all but some sources', input('ip saddr != 10.0.0.0/8 drop'), 'saddr !='],
  ['port hopping', nat('udp dport 20000-50000 redirect to :443'), 'sends traffic there'],
  ['port hopping to an own address', nat('udp dport 20000-50000 dnat to 192.0.2.7:443'), 'sends traffic there'],
  ['a range of targets', nat('tcp dport 80 redirect to :400-500'), 'sends traffic there'],
  ['a map', nat('redirect to :tcp dport map { 80 : 443 }'), 'sends traffic there'],
  ['our port, somewhere else', nat('tcp dport 443 redirect to :8443'), 'redirects traffic that goes there'],
  [
    'our port, as programs of this machine dial it',
    'table ip x {\n\tchain c {\n\t\ttype nat hook output priority -110; policy accept;\n\t\ttcp dport 443 redirect to :8443\n\t}\n}\n',
    'redirects traffic that goes there',
  ],
  [
    'our port, to another machine',
    nat('tcp dport { 80, 443 } dnat to 172.17.0.2'),
    'redirects traffic that goes there',
  ],
  ['all ports', nat('meta l4proto tcp redirect to :8443'), 'redirects traffic that goes there'],
  ['ports in a set', nat('tcp dport @wanted redirect to :8443'), 'redirects traffic that goes there'],
  ['all but others', nat('tcp dport != 22 redirect to :8443'), 'redirects traffic that goes there'],
  ['what cannot be read', nat('tcp dport 80 counter packets 0 bytes 0 xt target "REDIRECT"'), 'sends traffic there'],
])('an obstacle: %s', (_, text, words) => expect(obstacle(text)).toContain(words));

test('a firewall is of no interest to what listens on loopback only', () => {
  expect(obstacle(input('', 'drop'), '127.0.0.1')).toBeUndefined();
});
