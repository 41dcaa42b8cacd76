import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { startLinkParams } from './link-params.ts';

// `sxi` has the print of `sni`.
const names = fc.constantFrom('sni', 'sxi', 'type', 'name', 'port', 'not-in-a-table', 'nor-this', '');
const step = fc.record({ name: names, value: fc.option(fc.string(), { nil: undefined }) });

test('settings of a link behave as a Map does', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const params = startLinkParams();
      const map = new Map<string, string>();
      for (const { name, value } of steps) {
        if (value === undefined) expect(params.delete(name)).toBe(map.delete(name));
        else [params, map].forEach((settings) => settings.set(name, value));
        expect([params.get(name), params.has(name), params.size]).toEqual([map.get(name), map.has(name), map.size]);
      }
      expect([...params]).toEqual([...map]);
      expect([...params.keys()]).toEqual([...map.keys()]);
    }),
  );
});
