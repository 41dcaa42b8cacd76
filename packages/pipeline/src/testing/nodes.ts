import type { Node } from '@sbox/formats';

/** A node with an id of its own; the name says where it is. */
export const exampleNode = (number: number, fields: Partial<Node> = {}): Node => ({
  id: `n_${String(number).padStart(16, '0')}`,
  tag: `${['🇩🇪 Frankfurt', 'Amsterdam', '香港 IPLC', 'Москва', 'Fast'][number % 5]} x${number % 3} ${number}`,
  type: number % 2 === 0 ? 'vless' : 'trojan',
  server: `s${number % 97}.example.net`,
  server_port: 443,
  password: 'secret-password',
  tls: { enabled: true },
  ...fields,
});
