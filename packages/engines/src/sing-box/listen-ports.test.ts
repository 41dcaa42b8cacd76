import { expect, test } from '@jest/globals';
import { listenPorts } from './listen-ports.ts';

test('every fixed port, one row for each network', () => {
  const config = {
    inbounds: [
      { type: 'mixed', tag: 'in', listen: '::', listen_port: 1 },
      { type: 'tun', tag: 't' },
      { type: 'shadowsocks', listen_port: 2 },
      { type: 'shadowsocks', tag: 'ss', listen_port: 3, network: 'tcp' },
      { type: 'hysteria2', tag: 'h', listen_port: 4 },
      { type: 'vless', tag: 'q', listen_port: 5, transport: { type: 'quic' } },
      { type: 'socks', tag: 'any', listen_port: 0 },
    ],
    endpoints: [{ type: 'wireguard', tag: 'w', listen_port: 6, peers: [] }],
    services: [{ type: 'resolved', tag: 'r', listen: '127.0.0.53', listen_port: 53 }],
  };
  expect(
    listenPorts(config).map(
      ({ tag, path, listen, listen_port, network }) => `${tag} ${path} ${listen} ${listen_port} ${network}`,
    ),
  ).toEqual([
    'in inbounds[0] :: 1 tcp',
    '2 inbounds[2] 127.0.0.1 2 tcp',
    '2 inbounds[2] 127.0.0.1 2 udp',
    'ss inbounds[3] 127.0.0.1 3 tcp',
    'h inbounds[4] 127.0.0.1 4 udp',
    'q inbounds[5] 127.0.0.1 5 udp',
    'w endpoints[0] :: 6 udp',
    'r services[0] 127.0.0.53 53 tcp',
    'r services[0] 127.0.0.53 53 udp',
  ]);
});

test.each([null, {}, { inbounds: 'x' }, { inbounds: [null] }])('no ports in %j', (config) => {
  expect(listenPorts(config)).toEqual([]);
});
