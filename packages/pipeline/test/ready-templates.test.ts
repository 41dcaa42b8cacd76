import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  checkReferences,
  composeSingBox,
  remoteRuleSets,
  takesNodes,
  type Json,
  type RenditionFile,
} from '@sbox/engines/sing-box/render';
import { fillTemplate, readyTemplate, readyTemplates, type ParamValues } from '../src/index.ts';
import { templateExamples } from '../src/templates/template-examples.ts';
import { createWorkplace, engines, freePort, saidOfEngines, started } from './real-engines.ts';
import { templateNodes } from './template-nodes.ts';

const place = createWorkplace();
const certificate = place.makeCertificate();
const file: RenditionFile = { path: 'rule-sets/all.srs', digest: 'sha256:00', size: 1 };
beforeAll(() => place.compileRuleSet(file.path, { domain_suffix: ['example.org'], ip_cidr: ['192.0.2.0/24'] }));
afterAll(() => {
  place.remove();
  process.stderr.write(saidOfEngines());
});

const cases = readyTemplates.flatMap(({ name }) => [
  ...(name === 'server' ? [] : [[name, 'defaults', {}] as const]),
  ...(templateExamples[name] ?? []).map(({ title, params }) => [name, title, params] as const),
]);

const skeletonOf = (name: string, params: ParamValues): Json => {
  const template = readyTemplate(name);
  if (template === undefined) throw new Error(name);
  return fillTemplate(template, 'certificate_path' in params ? { ...params, ...certificate } : params);
};
const nodesFor = (skeleton: Json) => (takesNodes(skeleton) ? templateNodes : []);
const mirrored = (skeleton: Json) => new Map(remoteRuleSets(skeleton).map(({ url }) => [url, file]));

describe.each(engines)('$name', (engine) => {
  test.each(cases)('%s, %s', (name, _, params) => {
    const skeleton = skeletonOf(name, params);
    for (const rule_sets of [new Map<string, RenditionFile>(), mirrored(skeleton)]) {
      const { config, text, warnings, left_out } = composeSingBox(
        { skeleton, nodes: nodesFor(skeleton), rule_sets },
        engine.target,
      );
      expect({ left_out, warnings, findings: checkReferences(config) }).toEqual({
        left_out: [],
        warnings: [],
        findings: [],
      });
      expect(place.check(engine, text)).toBe('');
    }
  });

  test.each([
    ['rule-routing', { regions: ['ru', 'cn', 'ir'], block_ads: true, dns_split: true, fakeip: true }],
    ['server', { shadowsocks_port: 1, shadowsocks_password: 'bm90IGEgcGFzc3dvcmQhIQ==' }],
  ] as const)('%s starts with no network', async (name, params) => {
    const port = await freePort();
    const portOf = name === 'server' ? { listen: '127.0.0.1', shadowsocks_port: port } : { port };
    const skeleton = skeletonOf(name, { ...params, ...portOf });
    const rule_sets = mirrored(skeleton);
    const { text, files } = composeSingBox({ skeleton, nodes: nodesFor(skeleton), rule_sets }, engine.target);
    expect(remoteRuleSets(JSON.parse(text))).toEqual([]);
    expect(files).toEqual(rule_sets.size === 0 ? [] : [file]);
    const chatty = text.replace('"level": "warn"', '"level": "info"');
    const child = place.start(engine, chatty);
    const ended = once(child, 'exit');
    try {
      expect((await started(child)).filter((line) => /deprecated/i.test(line))).toEqual([]);
    } finally {
      child.kill();
      await ended;
    }
  });
});
