import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { composeSingBox, defaultSkeleton, renderSingBox, type EngineTarget } from '@sbox/engines/sing-box/render';
import { fillTemplate, readyTemplate, readyTemplates } from '../src/index.ts';
import { templateExamples } from '../src/templates/template-examples.ts';
import { templateNodes } from './template-nodes.ts';

const directory = path.join(import.meta.dirname, 'cases');
const target = (version: string): EngineTarget => ({ engine: 'sing-box', version, tags: ['with_quic', 'with_gvisor'] });

const cases = readyTemplates.flatMap((template) =>
  ['1.11.15', '1.12.23', '1.14.4'].map((version) => [template.name, version, template] as const),
);

// SBOX_GOLDEN=write makes the files again; read the diff before committing it.
test.each(cases)('%s for sing-box %s is as it was', (name, version, template) => {
  const params = name === 'server' ? templateExamples['server']?.[0]?.params : {};
  const nodes = name === 'server' ? [] : templateNodes;
  const { text } = composeSingBox({ skeleton: fillTemplate(template, params), nodes }, target(version));
  const file = path.join(directory, `${name}-${version.split('.').slice(0, 2).join('.')}.json`);
  if (process.env['SBOX_GOLDEN'] === 'write') {
    mkdirSync(directory, { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).toBe(readFileSync(file, 'utf8'));
});

test('mixed is what is rendered without a template', () => {
  const template = readyTemplate('mixed');
  if (template === undefined) throw new Error('mixed');
  expect(fillTemplate(template)).toEqual(defaultSkeleton());
  const { text } = composeSingBox({ skeleton: fillTemplate(template), nodes: templateNodes }, target('1.14.4'));
  expect(text).toBe(renderSingBox(templateNodes, target('1.14.4')).text);
});
