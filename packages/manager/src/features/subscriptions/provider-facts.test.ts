import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { providerFacts, readFacts, type Usage } from './provider-facts.ts';

const nothing = { upload: null, download: null, total: null, expire_at: null };
const usageOf = (header: string): Usage | null =>
  readFacts(providerFacts({ 'subscription-userinfo': header }) ?? null).usage;

test.each([
  ['', null],
  ['nonsense', null],
  ['upload=1; download=2; total=3; expire=0', { ...nothing, upload: 1, download: 2, total: 3 }],
  ['Upload=1,total=5.5', { ...nothing, upload: 1, total: 5.5 }],
  ['expire=1893456000;total=', { ...nothing, expire_at: '2030-01-01T00:00:00.000Z' }],
  ['total=-1; upload=0x10; download=7', { ...nothing, download: 7 }],
  ['total=1; expire=99999999999999999', { ...nothing, total: 1 }],
])('%s', (header, expected) => {
  expect(usageOf(header)).toEqual(expected);
});

test('whatever a provider sends, it is numbers and a time, or nothing', () => {
  fc.assert(
    fc.property(fc.string(), fc.double(), fc.double(), (text, total, expire) => {
      const usage = usageOf(`${text};total=${total};expire=${expire}`);
      if (!usage) return;
      for (const amount of [usage.upload, usage.download, usage.total])
        expect(amount === null || amount >= 0).toBe(true);
      if (usage.expire_at !== null) expect(new Date(usage.expire_at).toISOString()).toBe(usage.expire_at);
    }),
  );
});

test('headers go before the body, and each fills the gaps of the other', () => {
  const stored = providerFacts(
    { 'profile-title': 'From the header', 'profile-update-interval': '12', 'x-other': '1' },
    {
      title: 'From the body',
      support_url: 'https://help.example.net/',
      usage: { total: 5 },
      notices: ['Expire: soon'],
    },
  );
  expect(readFacts(stored ?? null)).toEqual({
    usage: { ...nothing, total: 5 },
    about: { title: 'From the header', update_interval_hours: 12, support_url: 'https://help.example.net/' },
  });
});

test('an answer without facts changes nothing', () => {
  expect(providerFacts({ 'content-type': 'text/plain' }, { notices: [] })).toBeUndefined();
});

test('rows of earlier versions hold the usage alone', () => {
  expect(readFacts(JSON.stringify({ ...nothing, total: 5 }))).toEqual({ usage: { ...nothing, total: 5 }, about: {} });
});
