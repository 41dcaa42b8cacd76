import type { Node } from '@sbox/formats';

const at = (id: string, tag: string) => ({ id: `n_${id}`, tag, server: 'node.test', server_port: 443 });

/** Nodes that every engine with QUIC runs; their names are in need of a resolver. */
export const templateNodes = [
  { ...at('trojan', 'trojan'), type: 'trojan', password: 'x', tls: { enabled: true, server_name: 'node.test' } },
  { ...at('ss', 'ss'), type: 'shadowsocks', method: 'aes-256-gcm', password: 'y' },
] as const satisfies readonly Node[];
