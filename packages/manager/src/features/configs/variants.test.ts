import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { readyTemplate } from '@sbox/pipeline';
import type { Template } from '@sbox/protocol/pipeline';
import { freezeRecipe } from '../settings/freeze-recipe.ts';
import { recipient, type SettingLayer } from '../settings/layers.ts';
import { inputsDigest, type VersionInputs } from './rendering.ts';
import { refuseUnfrozen, showDiffers, variantFor } from './variants.ts';

const recipe = { engine: 'sing-box', settings: {}, params: {}, template: undefined };
const layer = (name: SettingLayer['layer'], scope: string, values: SettingLayer['values']): SettingLayer => ({
  layer: name,
  scope,
  values,
});
const edge = layer('labels', 'labels:role=edge', { log_level: 'debug', watch: '1s' });

const plain = (layers: readonly SettingLayer[]): VersionInputs => {
  const frozen = freezeRecipe(layers, recipe);
  return {
    engine: 'sing-box',
    snapshots: [],
    settings: frozen.settings,
    ...(frozen.layers.length === 0 ? {} : { layers: frozen.layers }),
  };
};

describe('what is stored without layers', () => {
  test('is what was stored before there were any, byte for byte', () => {
    // As the version before wrote it, when every recipe had its defaults in it.
    const before =
      '{"engine":"sing-box","snapshots":[],"settings":{"inbounds":[{"type":"mixed","tag":"in","listen":"127.0.0.1","listen_port":2080}],"urltest":{"url":"https://www.gstatic.com/generate_204","interval":"3m"},"log_level":"warn","probe":{"urls":["https://www.gstatic.com/generate_204","https://cp.cloudflare.com/generate_204"],"expect":[200,204],"need":1,"timeout":"3s"},"watch":"10s","on_return":"enforce"}}';
    expect(JSON.stringify(plain([]))).toBe(before);
    expect(inputsDigest(plain([]))).toBe('sha256:ff5a83e23a099f5b69b3839ddb45de481593c6f80347ebe6aaac0a13d9518caf');
    // A recipe of before, complete as it was stored, and one that names keys in another order.
    const { settings } = JSON.parse(before) as VersionInputs;
    const complete = freezeRecipe([], { ...recipe, settings });
    expect(JSON.stringify({ engine: 'sing-box', snapshots: [], settings: complete.settings })).toBe(before);
    const written = {
      urltest: { interval: '1m' },
      log_level: 'info' as const,
      reload: 'restart' as const,
      inbounds: [{ listen_port: 1 }],
      probe: { urls: ['https://a.example/'] },
    };
    const frozen = freezeRecipe([], { ...recipe, settings: written });
    expect(inputsDigest({ engine: 'sing-box', snapshots: [], settings: frozen.settings })).toBe(
      'sha256:6f7a4e5bfb506a67bef7f304e7e2401e1e1308772cad5f8295925dca75347a00',
    );
  });

  test('has no layers where they change nothing for this config', () => {
    const same = layer('environment', 'environment:prod', { log_level: 'warn' });
    const other = layer('service', 'service:xray', { log_level: 'debug' });
    const unread = layer('server', 'server:a', { 'params.port': 1 });
    expect(plain([same, other, unread])).toEqual(plain([]));
    const templated = { ...recipe, params: { port: 1 }, template: readyTemplate('mixed') as Template };
    expect(freezeRecipe([layer('server', 'server:a', { log_level: 'debug' })], templated).layers).toEqual([]);
  });
});

describe('a variant', () => {
  const inputs = plain([edge, layer('server', 'server:b', { watch: '2s' })]);

  test('is of those who have other text, and only of those', () => {
    const nobody = variantFor(inputs);
    expect(nobody).toMatchObject({ variant: '', differs: {}, inputs: { settings: { log_level: 'warn' } } });
    const one = variantFor(inputs, { server: 'a', labels: { role: 'edge' } });
    expect(one).toMatchObject({ differs: { log_level: 'debug' }, inputs: { settings: { watch: '1s' } } });
    expect(one.variant).toMatch(/^[0-9a-f]{16}$/);
    // Another watch is for the agent: the text is the same.
    const two = variantFor(inputs, { server: 'b', labels: { role: 'edge' } });
    expect(two).toMatchObject({ variant: one.variant, inputs: { settings: { watch: '2s' } } });
    expect(variantFor(inputs, { server: 'b' })).toMatchObject({ variant: '', inputs: { settings: { watch: '2s' } } });
    expect(one.inputs).not.toHaveProperty('layers');
  });

  test('fills the template anew with what differs, and patches it again', () => {
    const template: Template = {
      name: 'own',
      engine: 'sing-box',
      description: '',
      params: {
        port: { type: 'port', description: '' },
        rules: { type: 'string', description: '', optional: true },
        key: { type: 'secret', description: '', optional: true },
      },
      document: {
        inbounds: [{ type: 'mixed', tag: '${key}', listen_port: '${port}' }],
        route: {
          rule_set: [
            { $when: '${rules}', $then: { type: 'remote', tag: 'r', url: 'https://example.com/${rules}.srs' } },
          ],
        },
      },
    };
    const layers = [
      layer('server', 'server:a', { 'params.port': 2, 'params.key': 'hidden' }),
      layer('server', 'server:b', { 'params.rules': 'new' }),
    ];
    const frozen = freezeRecipe(layers, { ...recipe, params: { port: 1 }, template });
    const made: VersionInputs = {
      engine: 'sing-box',
      snapshots: [],
      settings: frozen.settings,
      skeleton: {},
      layers: frozen.layers,
      fill: { template, params: frozen.params, patch: [{ op: 'add', path: '/log', value: { level: 'error' } }] },
    };
    const one = variantFor(made, { server: 'a' });
    expect(one.inputs.skeleton).toMatchObject({
      inbounds: [{ listen_port: 2, tag: 'hidden' }],
      log: { level: 'error' },
    });
    expect(showDiffers(one.differs, made)).toEqual({ 'params.key': '***', 'params.port': 2 });
    expect(() => refuseUnfrozen(one)).not.toThrow();
    // What the version was made without cannot be in it.
    expect(() => refuseUnfrozen(variantFor(made, { server: 'b' }))).toThrow(ProblemError);
  });

  test('of many servers is found in no time', () => {
    const many = Array.from({ length: 300 }, (_, at) =>
      recipient({ server: `s${at}`, labels: at % 3 ? { role: 'edge' } : {} }),
    );
    expect(new Set(many.map((who) => variantFor(inputs, who).variant)).size).toBe(2);
  });
});
