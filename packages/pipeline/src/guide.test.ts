import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { deprecationsIn, type Json } from '@sbox/engines/sing-box/render';
import { configTestSchema } from '@sbox/protocol/pipeline';
import { runConfigTests } from './config-tests.ts';
import { explainDestination } from './explain-destination.ts';
import { explainText } from './explain-text.ts';

const guide = path.resolve(import.meta.dirname, '../../../docs/guide');

/** Fenced blocks of a page of the guide, without their fences. */
function blocksOf(page: string): { json: unknown[]; output: string[] } {
  const text = readFileSync(path.join(guide, page), 'utf8');
  const blocks = [...text.matchAll(/^```(json)?\n([\s\S]*?)\n```$/gm)].map(([, kind, body = '']) => ({ kind, body }));
  return {
    json: blocks.filter(({ kind }) => kind === 'json').map(({ body }) => JSON.parse(body) as unknown),
    output: blocks.filter(({ kind }) => kind === undefined).map(({ body }) => body),
  };
}

const [config] = blocksOf('explain.md').json as [Json];

test('explain: what the page shows is what is said', () => {
  const { output } = blocksOf('explain.md');
  expect(output).toHaveLength(2);
  for (const block of output) {
    const [command = '', ...lines] = block.split('\n');
    const destination = command.replace('$ sboxmgr explain config main --dest ', '');
    expect(explainText({ route: explainDestination(config, { destination }) })).toEqual(lines);
  }
});

test('config tests: what the page shows is what is found', () => {
  const { json, output } = blocksOf('config-tests.md');
  const tests = (json[0] as unknown[]).map((one) => configTestSchema.parse(one));
  const route = config['route'] as { rules: unknown[] };
  const shorter = { ...config, route: { ...route, rules: route.rules.slice(0, -1) } };
  const lines = runConfigTests(shorter, tests).map(
    ({ name, ok, detail }) => `${ok ? 'ok  ' : 'FAIL'} ${name}: ${detail}`,
  );
  expect(lines.join('\n')).toBe(output[0]);
});

test('upgrade preview: what the page shows is what is found', () => {
  const { json, output } = blocksOf('upgrade-preview.md');
  const lines = deprecationsIn(json[0], '1.14.4').map(({ effect, name, path: at, since, instead }) => {
    return `${effect}  ${name.padEnd(22)}  ${at.padEnd(22)}  since ${since}, instead: ${instead}`;
  });
  expect(lines.join('\n')).toBe(output[0]);
});
