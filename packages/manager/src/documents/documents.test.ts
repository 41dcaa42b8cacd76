import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createFakeClock, createNewId } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { createApp } from '@sbox/daemon/serve';
import { agentRoutes, operatorContract, routesOf, singleSignOn } from '@sbox/protocol';
import { mountDocuments } from './documents.ts';
import { markup } from './markup.ts';
import { schemaText } from './schema-text.ts';

const app = createApp({ log: silentLogger, clock: createFakeClock(), newId: createNewId(randomBytes) });
mountDocuments(app, { version: '1.2.3' });

test.each([
  ['/openapi.json', { openapi: '3.1.1', info: { version: '1.2.3' } }],
  ['/openapi-3.0.json', { openapi: '3.0.3', info: { version: '1.2.3' } }],
  ['/asyncapi.json', { asyncapi: '3.0.0', info: { version: '1.2.3' } }],
])('%s is the document', async (path, expected) => {
  const response = await app.request(path);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toMatchObject(expected);
});

test('other methods answer 405', async () => {
  const response = await app.request('/docs', { method: 'POST' });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('GET, HEAD');
});

describe('the reference page', () => {
  const load = async () => {
    const response = await app.request('/docs');
    return { policy: response.headers.get('content-security-policy') ?? '', page: await response.text() };
  };

  test('shows every operation once, with its permission and its example', async () => {
    const { page } = await load();
    for (const { id, permission, path } of routesOf({ ...operatorContract, singleSignOn, agents: agentRoutes })) {
      const article = page.split(`<article id="${id}">`);
      expect(article).toHaveLength(2);
      const [text] = article[1]?.split('</article>') ?? [];
      expect(text).toContain(path.replaceAll(/[&<>"']/g, ''));
      if (permission !== 'public' && permission !== 'agent') expect(text).toContain(`<code>${permission}</code>`);
      if (permission !== 'agent') expect(text).toContain('curl -X ');
    }
  });

  test('gives examples that a shell can run', async () => {
    const { page } = await load();
    const [, example] = /id="updateConfig"[\s\S]*?<h4>Example<\/h4><pre>([\s\S]*?)<\/pre>/.exec(page) ?? [];
    expect(example?.replaceAll('&#39;', "'").replaceAll('&quot;', '"')).toBe(
      [
        `curl -X PATCH "$SBOXMGR_URL"'/api/v1/configs/example'`,
        '-H "Authorization: Bearer $(cat "$SBOXMGR_TOKEN_FILE")"',
        "-H 'if-match: *'",
        "-H 'content-type: application/merge-patch+json'",
        `-d '{"tests_block":true}'`,
      ].join(' \\\n  '),
    );
  });

  test('runs no script, loads nothing, and its only style is the one that the policy names', async () => {
    const { page, policy } = await load();
    expect(policy).toContain("default-src 'none'");
    expect(page).not.toMatch(/<script|<link|<img|\ssrc=|\son\w+=|style="/i);
    const styles = [...page.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, style]) => style ?? '');
    expect(styles).toHaveLength(1);
    const digest = createHash('sha256')
      .update(styles[0] ?? '')
      .digest('base64');
    expect(policy).toContain(`style-src 'sha256-${digest}'`);
    expect(styles[0]).toContain('color-scheme:light dark');
  });

  test('links its schemas, and only to what is on the page or beside it', async () => {
    const { page } = await load();
    const targets = [...page.matchAll(/href="([^"]+)"/g)].map(([, target]) => target ?? '');
    expect(targets.length).toBeGreaterThan(100);
    expect(targets).toContain('#schema-Subscription');
    for (const target of new Set(targets)) {
      if (target.startsWith('#')) expect(page).toContain(`id="${target.slice(1)}"`);
      else expect((await app.request(target)).status).toBe(200);
    }
  });
});

test('text is escaped wherever it stands', () => {
  const text = `<b a="1">'&'</b>`;
  expect(markup`<i title="${text}">${[text]}${markup`<u>${1}</u>`}${undefined}</i>`.html).toBe(
    '<i title="&lt;b a=&quot;1&quot;&gt;&#39;&amp;&#39;&lt;/b&gt;">&lt;b a=&quot;1&quot;&gt;&#39;&amp;&#39;&lt;/b&gt;<u>1</u></i>',
  );
});

test.each([
  [{ $ref: '#/components/schemas/Node' }, 'Node'],
  [{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, 'integer ≥ 0'],
  [{ type: 'string', default: '1h' }, 'string = "1h"'],
  [{ type: ['string', 'null'] }, 'string | null'],
  [{ enum: ['a', 'b'] }, '"a" | "b"'],
  [{ anyOf: [{ type: 'string', format: 'date-time' }, { type: 'null' }] }, 'string date-time | null'],
  [{ type: 'array', items: { const: true } }, '[true]'],
  [{ type: 'object', additionalProperties: { type: 'integer' } }, '{ [name]: integer }'],
  [{ type: 'object', properties: { a: { type: 'string' }, b: {} }, required: ['a'] }, '{\n  a: string\n  b?: any\n}'],
])('%j is written %s', (schema, text) => {
  expect(schemaText(schema)).toBe(text);
});
