import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { mergeMetadata, readMetadataHeaders } from '../index.ts';
import { readMetadataLines } from './read-metadata.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const read = (name: string, value: string): object => {
  const { notices: _, ...facts } = readMetadataHeaders([[name, value]]);
  return facts;
};

describe('headers', () => {
  test.each([
    ['Profile-Title', 'My plan', { title: 'My plan' }],
    ['profile-title', `base64:${base64('Мой план 🚀')}`, { title: 'Мой план 🚀' }],
    ['profile-title', `BASE64: ${base64('x')}`, { title: 'x' }],
    ['profile-title', Buffer.from('Тариф').toString('latin1'), { title: 'Тариф' }],
    ['profile-title', 'a\u202eb\u0000c', { title: 'abc' }],
    ['profile-title', 'base64:', {}],
    ['profile-update-interval', '12', { update_interval_hours: 12 }],
    ['profile-update-interval', '0.5', { update_interval_hours: 0.5 }],
    ['profile-update-interval', '0', {}],
    ['profile-update-interval', '-1', {}],
    ['profile-update-interval', '999999', {}],
    ['profile-web-page-url', 'https://panel.example.net/me', { web_page_url: 'https://panel.example.net/me' }],
    ['profile-web-page-url', 'javascript:alert(1)', {}],
    ['support-url', 'tg://resolve?domain=x', {}],
    ['support-url', ' http://help.example.net ', { support_url: 'http://help.example.net/' }],
    ['announce', `base64:${base64('One\r\ntwo')}`, { announce: 'One two' }],
    ['announce-url', 'https://panel.example.net/news', { announce_url: 'https://panel.example.net/news' }],
    ['plan-name', 'Gold', { plan_name: 'Gold' }],
    ['content-disposition', 'attachment; filename="my plan.yaml"', { file_name: 'my plan.yaml' }],
    ['content-disposition', 'attachment; filename=plan.yaml', { file_name: 'plan.yaml' }],
    ['content-disposition', "attachment; filename=x; filename*=UTF-8''%D0%9F%D0%BB.yaml", { file_name: 'Пл.yaml' }],
    ['content-disposition', 'inline', {}],
    ['moved-permanently-to', 'https://new.example.net/sub', { moved_to: 'https://new.example.net/sub' }],
    ['new-url', 'ftp://new.example.net', {}],
    ['x-unknown', 'x', {}],
  ])('%s: %s', (name, value, expected) => {
    expect(read(name, value)).toEqual(expected);
  });

  test.each([
    ['upload=1; download=2; total=3; expire=4', { upload: 1, download: 2, total: 3, expire: 4 }],
    ['UPLOAD = 1 ;Total: 5', { upload: 1, total: 5 }],
    ['upload=1.073741824E+10; download=2e3', { upload: 10_737_418_240, download: 2_000 }],
    ['upload=0; download=0; total=0; expire=0', { upload: 0, download: 0 }],
    ['upload=; download=; total=10', { total: 10 }],
    ['upload=-1; total=x; expire=never; download=7', { download: 7 }],
    ['upload=1e999; download=1', { download: 1 }],
    ['expire=1924991999.9', { expire: 1_924_991_999 }],
    ['expire=1924991999000', { expire: 1_924_991_999 }],
  ])('subscription-userinfo: %s', (value, usage) => {
    expect(read('subscription-userinfo', value)).toEqual({ usage });
  });

  test.each(['', 'nonsense', 'total=0; expire=0', ';;;='])('subscription-userinfo without facts: %s', (value) => {
    expect(read('subscription-userinfo', value)).toEqual({});
  });

  test('whatever comes, it is safe to show', () => {
    const names = ['subscription-userinfo', 'profile-title', 'announce', 'support-url', 'content-disposition'];
    const header = fc.tuple(fc.constantFrom(...names), fc.string({ unit: 'binary', maxLength: 200 }));
    fc.assert(
      fc.property(fc.array(header, { maxLength: 4 }), (headers) => {
        const {
          title = '',
          announce = '',
          support_url = 'https:',
          file_name = '',
          usage = {},
        } = readMetadataHeaders(headers);
        expect(`${title}${announce}${file_name}`).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
        expect(support_url).toMatch(/^https?:/);
        for (const number of Object.values(usage)) expect(Number.isFinite(number) && number >= 0).toBe(true);
      }),
    );
  });
});

describe('lines of the body', () => {
  test('only those before the content, with any comment sign', () => {
    const text =
      '#profile-title: One\r\n// announce: Two\n; plan-name: Three\n\nss://x\n#support-url: https://x.example.net';
    expect(readMetadataLines(text)).toEqual({ title: 'One', announce: 'Two', plan_name: 'Three', notices: [] });
  });

  test("Surge's line about updates", () => {
    const text = '#!MANAGED-CONFIG https://panel.example.net/sub interval=86400 strict=true\n[Proxy]';
    expect(readMetadataLines(text)).toEqual({ update_interval_hours: 24, notices: [] });
  });
});

test('what was said first counts, each number of the usage by itself', () => {
  expect(
    mergeMetadata(
      { title: 'Header', usage: { total: 5 }, notices: ['a'] },
      { title: 'Body', plan_name: 'Gold', usage: { total: 6, expire: 7 }, notices: ['b', 'a'] },
    ),
  ).toEqual({ title: 'Header', plan_name: 'Gold', usage: { total: 5, expire: 7 }, notices: ['a', 'b'] });
  expect(mergeMetadata({}, {})).toEqual({ notices: [] });
});
