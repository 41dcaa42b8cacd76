import { expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import * as z from 'zod/mini';
import { createFakeReconciler } from '../../test/fake-reconciler.ts';
import { agentSettingsSchema } from '../settings/schema.ts';
import { createImporter } from './importer.ts';

const identity = { server_id: 'srv_1', name: 'a', manager_urls: [], pin: 'sha256:0', joined_at: '' };
const minute = 60_000;

test.each([
  ['never joined', undefined, undefined, {}, { kind: 'now' }],
  ['never joined, and the settings say no', undefined, undefined, { allow_unsigned: false }, { kind: 'never' }],
  ['joined', identity, Infinity, {}, { kind: 'never' }],
  [
    'joined, allowed, the manager is there',
    identity,
    undefined,
    { allow_unsigned: true },
    { kind: 'later', waitMs: 5 * minute },
  ],
  [
    'joined, allowed at once, the manager is there',
    identity,
    undefined,
    { allow_unsigned: true, after: '0' },
    { kind: 'later', waitMs: 0 },
  ],
  [
    'joined, allowed, the manager is away for two minutes',
    identity,
    2 * minute,
    { allow_unsigned: true },
    { kind: 'later', waitMs: 3 * minute },
  ],
  ['joined, allowed, the manager is away for long', identity, 5 * minute, { allow_unsigned: true }, { kind: 'now' }],
  ['joined, allowed, there is no manager to reach', identity, Infinity, { allow_unsigned: true }, { kind: 'now' }],
])('whether a plain file is taken: %s', async (_, known, awayMs, settings, expected) => {
  const clock = createFakeClock();
  const importer = createImporter({
    reconciler: createFakeReconciler(clock),
    identity: async () => known,
    trusted: async () => undefined,
    storeTrust: async () => {},
    managerAwayMs: () => awayMs,
    lastManifest: () => undefined,
    onLocal: () => {},
    nowMs: () => clock.now(),
    agentVersion: '0.1.0',
    settings: z.parse(agentSettingsSchema, { import: settings }).import,
    clock,
    log: silentLogger,
  });
  expect(await importer.admit()).toMatchObject(expected);
});
