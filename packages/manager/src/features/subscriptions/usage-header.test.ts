import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseUsage } from './usage-header.ts';

const nothing = { upload: null, download: null, total: null, expire_at: null };

test.each([
  [undefined, undefined],
  ['', undefined],
  ['nonsense', undefined],
  ['upload=1; download=2; total=3; expire=0', { ...nothing, upload: 1, download: 2, total: 3 }],
  ['Upload=1,total=5.5', { ...nothing, upload: 1, total: 5.5 }],
  ['expire=1893456000;total=', { ...nothing, expire_at: '2030-01-01T00:00:00.000Z' }],
  ['total=-1; upload=0x10; download=7', { ...nothing, download: 7 }],
  ['total=1; expire=99999999999999999', { ...nothing, total: 1 }],
])('%s', (header, expected) => {
  expect(parseUsage(header)).toEqual(expected);
});

test('whatever a provider sends, it is numbers and a time, or nothing', () => {
  fc.assert(
    fc.property(fc.string(), fc.double(), fc.double(), (text, total, expire) => {
      const usage = parseUsage(`${text};total=${total};expire=${expire}`);
      if (!usage) return;
      for (const amount of [usage.upload, usage.download, usage.total])
        expect(amount === null || amount >= 0).toBe(true);
      if (usage.expire_at !== null) expect(new Date(usage.expire_at).toISOString()).toBe(usage.expire_at);
    }),
  );
});
