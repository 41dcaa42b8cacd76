import { afterAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { overlay, type Slot } from '../src/sing-box/run.ts';
import { renderSingBox } from '../src/sing-box/render.ts';
import { soundConfig } from './arbitrary-configs.ts';
import { carelessNode } from './arbitrary-nodes.ts';
import { createWorkplace, engines, type RealEngine } from './real-engine.ts';
import { missingIn, oneNode, sampleNodes } from './sample-nodes.ts';

const place = createWorkplace();
afterAll(() => place.remove());

const slot: Slot = {
  mode: 'live',
  ports: { in: 21_080 },
  control: { address: '127.0.0.1:29090', secret: 'secret' },
  cache_path: `${place.dir}/cache.db`,
  log: { level: 'info' },
  once: [],
  probe_port: 21_081,
};

describe.each(engines)('$name', (engine) => {
  test('accepts a rendition, live and as a trial', () => {
    const { config, text, left_out, once } = renderSingBox(sampleNodes, engine.target);
    expect(left_out.map(({ tag }) => tag)).toEqual(missingIn(engine.target));
    expect(place.check(engine, text)).toBeUndefined();
    expect(place.check(engine, overlay(config, slot).text)).toBeUndefined();
    expect(place.check(engine, overlay(config, { ...slot, mode: 'trial', once }).text)).toBeUndefined();
  });

  test('accepts whatever was not left out', () => {
    const settings = { numRuns: 8, endOnFailure: true };
    fc.assert(
      fc.property(fc.array(carelessNode, { minLength: 150, maxLength: 150 }), (nodes) => {
        const { text } = renderSingBox([oneNode({ id: 'n_fine' }), ...nodes], engine.target);
        expect(place.check(engine, text)).toBeUndefined();
      }),
      settings,
    );
  });
});

/** The configurations that are made up have typed DNS servers and tunnels. */
const knowsSoundConfigs = ({ target: { version, tags } }: RealEngine): boolean =>
  !version.startsWith('1.11.') && tags.includes('with_wireguard');

describe.each(engines.filter(knowsSoundConfigs))('$name', (engine) => {
  test('accepts overlays of configurations that it accepts', () => {
    fc.assert(
      fc.property(soundConfig, fc.subarray(['o0', 'o1', 'o2']), (config, once) => {
        expect(place.check(engine, JSON.stringify(config))).toBeUndefined();
        expect(place.check(engine, overlay(config, slot).text)).toBeUndefined();
        const trial = overlay(config, { ...slot, mode: 'trial', once, ports: { in0: 21_082, in1: 21_083 } });
        expect(place.check(engine, trial.text)).toBeUndefined();
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });
});
