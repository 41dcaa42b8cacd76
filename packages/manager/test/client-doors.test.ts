import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { ask, constant, openServed } from './client-requests.ts';
import { codeOf } from './open-manager.ts';

const any = { 'if-match': '*' };
const phone = { params: { id: 'phone' } };

describe('devices', () => {
  const device = (hwid: string) => ({
    'x-hwid': hwid,
    'x-device-os': 'Android',
    'x-ver-os': '15',
    'x-device-model': 'Pixel',
    'user-agent': 'v2rayNG/1.9',
  });

  test('are not told apart by default', async () => {
    await using manager = await openServed();
    const { status, headers } = await ask(manager.link, device('a'));
    expect([status, headers['x-hwid-active']]).toEqual([200, undefined]);
    expect(await manager.client.clients.devices(phone)).toEqual({ items: [] });
  });

  test('have to name themselves where that is required; browsers need not', async () => {
    await using manager = await openServed({ hwid: { mode: 'required', limit: 1 } });
    const unknown = await ask(manager.link.replace(/\w{27}$/, 'A'.repeat(27)));
    const nameless = await ask(manager.link);
    expect(nameless.headers).toMatchObject({ 'x-hwid-active': 'true', 'x-hwid-not-supported': 'true' });
    expect(constant(nameless).text).toBe(constant(unknown).text);
    expect((await ask(manager.link, { 'x-hwid': 'x'.repeat(129) })).status).toBe(404);
    expect((await ask(manager.link, { accept: 'text/html' })).status).toBe(200);
    const named = await ask(manager.link, device('a'));
    expect([named.status, named.headers['x-hwid-active']]).toEqual([200, 'true']);
    const second = await ask(manager.link, device('b'));
    expect([second.status, second.headers]).toMatchObject([
      404,
      { 'x-hwid-max-devices-reached': 'true', 'x-hwid-limit': 'true' },
    ]);
    expect((await ask(manager.link, device('a'))).status).toBe(200);
    const { items } = await manager.client.clients.devices(phone);
    expect(items).toMatchObject([
      { hwid: 'a', os: 'Android', os_version: '15', model: 'Pixel', user_agent: 'v2rayNG/1.9' },
    ]);
    await manager.client.clients.removeDevice({ params: { id: 'phone', hwid: 'a' } });
    expect(await codeOf(manager.client.clients.removeDevice({ params: { id: 'phone', hwid: 'a' } }))).toBe(
      'client.device-not-found',
    );
    expect((await ask(manager.link, device('b'))).status).toBe(200);
    const events = (await manager.client.events.list({ query: { type: 'client.device' } })).items;
    expect(events.map(({ type }) => type)).toEqual([
      'client.device-added',
      'client.device-removed',
      'client.device-added',
    ]);
  });

  test('that come at once do not both get the last place', async () => {
    await using manager = await openServed({ hwid: { mode: 'optional', limit: 2 } });
    const all = await Promise.all(
      Array.from({ length: 12 }, async (_, at) => await ask(manager.link, device(`d${at}`))),
    );
    expect(all.filter(({ status }) => status === 200)).toHaveLength(2);
    expect((await manager.client.clients.devices(phone)).items).toHaveLength(2);
    expect((await ask(manager.link)).status).toBe(200);
  });
});

describe('the page for people', () => {
  test('has the link as a picture, addresses for apps, and no script', async () => {
    await using manager = await openServed({
      title: '<b>Plan</b>',
      usage: { upload: 0, download: 1536 * 1024 ** 2, total: 100 * 1024 ** 3 },
      expires_at: '2036-01-01T00:00:00.000Z',
      support_url: 'https://help.example.test',
    });
    const { text, headers } = await ask(manager.link, { accept: 'text/html,*/*', 'accept-language': 'de, en;q=0.5' });
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-sbox-rule': 'browsers',
      'content-security-policy': expect.stringMatching(/^default-src 'none'; style-src 'sha256-/),
    });
    expect(text).toContain('&lt;b&gt;Plan&lt;/b&gt;');
    expect(text).not.toMatch(/<b>|<script|\son\w+=|\sstyle=/);
    expect(text).toContain('<svg');
    expect(text).toContain('1.5 GiB of 100 GiB');
    expect(text).toContain('2036-01-01');
    expect(text).toContain(`sing-box://import-remote-profile?url=${encodeURIComponent(`${manager.link}/sing-box`)}#`);
    expect(text).toContain(`clash://install-config?url=${encodeURIComponent(`${manager.link}/clash`)}`);
    expect(text).toContain(`hiddify://import/${manager.link}#`);
    for (const format of ['clash', 'base64', 'links']) expect(text).toContain(`${manager.link}/${format}`);
    expect(text).not.toContain('example-password');
  });

  test('speaks Russian to who asks for it', async () => {
    await using manager = await openServed();
    const { text } = await ask(`${manager.link}?format=html`, { 'accept-language': 'ru-RU,ru;q=0.9,en;q=0.8' });
    expect(text).toContain('<html lang="ru">');
    expect(text).toContain('Ваша ссылка');
  });
});

describe('rules', () => {
  const byHeader = (name: string, answer: 'clash' | 'block' | 'not-found' | 'unavailable', value = 'yes') => ({
    name,
    answer,
    conditions: [{ header: 'x-test', operator: 'equals' as const, value }],
  });

  test('of a client are asked before those of all; what they refuse, no address gets around', async () => {
    await using manager = await openServed({ rules: [{ ...byHeader('own', 'clash'), headers: { routing: 'on' } }] });
    const rules = [byHeader('all', 'block'), byHeader('gone', 'not-found', 'b'), byHeader('law', 'unavailable', 'c')];
    await manager.client.clientRules.replace({ headers: any, body: { rules } });
    const own = await ask(manager.link, { 'x-test': 'yes' });
    expect([own.status, own.headers]).toMatchObject([200, { 'x-sbox-rule': 'own', routing: 'on' }]);
    await manager.client.clients.update({ ...phone, headers: any, body: { rules: [] } });
    expect((await ask(`${manager.link}/links`, { 'x-test': 'YES' })).status).toBe(403);
    expect((await ask(`${manager.link}?format=links`, { 'x-test': 'b' })).status).toBe(404);
    expect((await ask(manager.link, { 'x-test': 'c' })).status).toBe(451);
    expect((await ask(manager.link, { 'user-agent': 'clash' })).headers['x-sbox-rule']).toBe('(default)');
    expect(await manager.client.clientRules.replace({ headers: any, body: { rules: [] } })).toMatchObject({
      is_default: true,
      revision: 2,
    });
    expect((await ask(manager.link, { 'user-agent': 'clash' })).headers['x-sbox-rule']).toBe('clash');
    const told = (await manager.client.clients.fetches(phone)).items.map(({ outcome, rule }) => `${outcome} ${rule}`);
    expect(told).toEqual([
      'served clash',
      'served (default)',
      'unavailable law',
      'not-found gone',
      'blocked all',
      'served own',
    ]);
  });

  test('that cannot be right are refused, and the old ones stay', async () => {
    await using manager = await openServed();
    const set = async (rule: Record<string, unknown>, match = any) =>
      await codeOf(
        manager.client.clientRules.replace({
          headers: match,
          body: { rules: [{ name: 'x', answer: 'clash', ...rule } as never] },
        }),
      );
    expect(await set({ conditions: [{ header: 'a', operator: 'matches', value: '(' }] })).toBe('request.invalid');
    expect(await set({ conditions: [{ header: 'a', operator: 'like', value: 'x' }] })).toBe('request.invalid');
    expect(await set({ answer: 'toml' })).toBe('request.invalid');
    expect(await set({ headers: { 'set-cookie': 'a=b' } })).toBe('request.invalid');
    expect(await set({ headers: { routing: 'a\r\nb' } })).toBe('request.invalid');
    expect(await set({}, { 'if-match': '"7"' })).toBe('precondition.failed');
    expect(await manager.client.clientRules.get()).toMatchObject({ is_default: true, revision: 0 });
  });

  test('explain themselves', async () => {
    await using manager = await openServed();
    const explained = await manager.client.clients.explain({
      ...phone,
      body: { headers: { 'User-Agent': 'SFI/1.13.2', Accept: '*/*' } },
    });
    expect(explained).toMatchObject({
      rule: 'sing-box',
      answer: 'sing-box',
      outcome: 'served',
      status: 200,
      engine_version: '1.13.2',
    });
    expect(explained.steps.map(({ rule, matched }) => [rule, matched])).toEqual([
      ['browsers', false],
      ['mihomo', false],
      ['stash', false],
      ['sing-box', true],
    ]);
    expect(await manager.client.clients.fetches(phone)).toEqual({ items: [] });
  });

  test('whatever headers come, exactly one of them decides, nothing breaks, and explain says the same', async () => {
    await using manager = await openServed();
    const names = ['user-agent', 'accept', 'accept-language', 'x-hwid', 'if-none-match', 'x-device-os', 'x-other'];
    const agents = ['clash', 'SFA/1.12.3', 'Stash', 'mihomo/1', 'sing-box 99.1', 'text/html', 'en;q=x, ru', '*'];
    const text = fc.oneof(
      fc.constantFrom(...agents),
      fc.stringMatching(/^[\x20-\x7e]{0,60}$/).map((value) => value.trim()),
      fc.string({ maxLength: 40 }).map((value) =>
        Buffer.from(value)
          .toString('latin1')
          .replace(/[^\x20-\x7e\x80-\xff]/g, ''),
      ),
    );
    const format = fc.constantFrom(undefined, 'html', 'clash', 'base64', 'singbox');
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...names), text),
        format,
        format,
        async (headers, inPath, inQuery) => {
          const end = `${inPath === undefined ? '' : `/${inPath}`}${inQuery === undefined ? '' : `?format=${inQuery}`}`;
          const { status, headers: answered } = await ask(`${manager.link}${end}`, headers);
          expect([200, 304, 406]).toContain(status);
          const { rule } = await manager.client.clients.explain({
            ...phone,
            body: {
              headers,
              ...(inPath === undefined ? {} : { path: inPath }),
              ...(inQuery === undefined ? {} : { query: inQuery }),
            },
          });
          if (status !== 406) expect(answered['x-sbox-rule']).toBe(rule);
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);
});
