import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { renderSingBox, type EngineTarget, type RenderSettings } from '../src/sing-box/render.ts';
import { sampleNodes } from './sample-nodes.ts';

const cases: readonly (readonly [name: string, target: EngineTarget, settings: RenderSettings])[] = [
  [
    'pip-1.14',
    { engine: 'sing-box', version: '1.14.4', tags: ['with_quic', 'with_wireguard', 'with_clash_api', 'with_gvisor'] },
    {},
  ],
  [
    'full-1.13',
    { engine: 'sing-box', version: '1.13.21', tags: ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor'] },
    {},
  ],
  [
    'bare-1.12',
    { engine: 'sing-box', version: '1.12.23', tags: [] },
    {
      inbounds: [{ type: 'http', tag: 'web', listen: '0.0.0.0', listen_port: 8080 }],
      urltest: { url: 'http://127.0.0.1:8081/', interval: '1m' },
      log_level: 'info',
    },
  ],
];

// SBOX_GOLDEN=write makes the files again; read the diff before committing it.
test.each(cases)('the rendition for %s is as it was', (name, target, settings) => {
  const file = path.join(import.meta.dirname, 'cases', `${name}.json`);
  const { text } = renderSingBox(sampleNodes, target, settings);
  if (process.env['SBOX_GOLDEN'] === 'write') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
});
