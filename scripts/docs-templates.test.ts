import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { composeSingBox, takesNodes } from '../packages/engines/src/sing-box/render.ts';
import { fillTemplate, readyTemplates, type ParamValues } from '../packages/pipeline/src/index.ts';
import { templateSchema } from '../packages/protocol/src/pipeline/index.ts';
import { templatePages } from './docs-templates.ts';

const directory = path.join(import.meta.dirname, '../docs/templates');
const examplesOf = (name: string): ParamValues[] => {
  const page = readFileSync(path.join(directory, name), 'utf8');
  return [...page.matchAll(/```json\n([^]*?)\n```/g)].map(([, text = '']) => JSON.parse(text) as ParamValues);
};

// Engines check them in packages/pipeline/test/ready-templates.test.ts.
test.each(readyTemplates.map((template) => [template.name, template] as const))(
  'the examples of %s render',
  (name, template) => {
    const examples = examplesOf(`${name}.md`);
    expect(examples.length).toBeGreaterThan(0);
    const node = { id: 'n_a', tag: 'a', type: 'socks', server: 'node.test', server_port: 1080 } as const;
    const target = { engine: 'sing-box', version: '1.14.4', tags: [] } as const;
    for (const params of examples) {
      const skeleton = fillTemplate(template, params);
      const nodes = takesNodes(skeleton) ? [node] : [];
      expect(composeSingBox({ skeleton, nodes }, target).warnings).toEqual([]);
    }
  },
);

test('there is a page for each template and an overview', () => {
  const pages = readdirSync(directory);
  expect(Object.keys(templatePages()).toSorted()).toEqual(pages.toSorted());
});

test('the example of the overview gives what stands below it', () => {
  const [template, params, filled] = examplesOf('README.md');
  expect(fillTemplate(templateSchema.parse(template), params)).toEqual(filled);
});
