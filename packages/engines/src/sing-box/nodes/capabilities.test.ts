import { nodeTypes } from '@sbox/formats';
import { expect, test } from '@jest/globals';
import { capabilities, capabilitiesPage } from './capabilities.ts';
import { nodeTable } from './node-table.ts';
import type { EngineTarget } from '../profile.ts';

const bare: EngineTarget = { engine: 'sing-box', version: '1.11.0', tags: [] };

test('every type of node has a row, and what can run has fields', () => {
  const namesOf = (kind: string) => capabilities().flatMap((row) => (row.kind === kind ? [row.name] : []));
  expect(namesOf('protocol').toSorted()).toEqual([...nodeTypes].toSorted());
  const runnable = capabilities().filter(({ kind, since }) => kind === 'protocol' && since !== undefined);
  expect(runnable.map(({ name }) => name).toSorted()).toEqual(Object.keys(nodeTable).toSorted());
});

test('a feature needs what its protocol needs', () => {
  const realm = capabilities().find(({ name }) => name === 'hysteria2.realm');
  expect(realm).toEqual({
    engine: 'sing-box',
    kind: 'feature',
    name: 'hysteria2.realm',
    since: '1.14',
    tags: ['with_quic'],
    optional: false,
  });
});

test.each([
  ['hysteria2', 'hysteria2 needs a build of sing-box with with_quic'],
  ['hysteria2.realm', 'hysteria2 needs a build of sing-box with with_quic'],
  ['anytls', 'anytls needs sing-box 1.12 or newer'],
  ['tls.reality', 'tls.reality needs a build of sing-box with with_utls'],
  ['wireguard.amnezia', 'sing-box has no AmneziaWG'],
  ['xhttp', 'sing-box has no transport.type "xhttp"'],
  ['restls', 'sing-box has no plugin "restls"'],
])('for an engine the row of %s says why not', (wanted, reason) => {
  const row = capabilities(bare).find(({ name }) => name === wanted);
  expect(row).toMatchObject({ available: false, reason });
});

test('for an engine that has everything only what nobody has is missing', () => {
  const tags = ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_naive_outbound'];
  const rows = capabilities({ engine: 'sing-box', version: '1.14.4', tags });
  expect(rows.filter(({ available }) => !available).every(({ since }) => since === undefined)).toBe(true);
});

test('the page has every row', () => {
  const lines = capabilitiesPage().split('\n');
  expect(lines.filter((line) => line.startsWith('| sing-box |'))).toHaveLength(capabilities().length);
  expect(lines).toContain('| sing-box | `naive` | 1.13 | `with_naive_outbound` | the node is left out |');
});
