import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import type { Client, OperatorContract } from '@sbox/protocol';
import { codeOf, joinAgent, openManager, type TestManager } from './open-manager.ts';

const engine = { engine: { path: path.join(import.meta.dirname, '../../../.tools/bin/sing-box') } };
const link = (name: string, host: number): string =>
  `trojan://example-password@192.0.2.${host}:443?sni=example.test#${encodeURIComponent(name)}`;
const params = { id: 'home' };
const anyRevision = { 'if-match': '*' };
type Exported = { outbounds: { tag: string; type: string; outbounds?: string[] }[]; [key: string]: unknown };

async function openDemo(...how: Parameters<typeof openManager>): Promise<TestManager> {
  const manager = await openManager(...how);
  const text = [link('DE One', 1), link('NL Two', 2), link('DE Three', 3)].join('\n');
  await manager.client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text } } });
  return manager;
}

const exported = async (client: Client<OperatorContract>, version?: number): Promise<Exported> => {
  const { bytes } = await client.configs.export({ params, query: version === undefined ? {} : { version } });
  return JSON.parse(Buffer.from(bytes ?? []).toString()) as Exported;
};

/** The first JSON of a guide, with other words in it. */
function readExample(
  guide: string,
  words: Readonly<Record<string, string>>,
): { patch: { op: 'add'; path: string; value: unknown }[] } {
  const page = readFileSync(path.join(import.meta.dirname, `../../../docs/guide/${guide}.md`), 'utf8');
  const [, json = ''] = /```json\n([^`]+)```/.exec(page) ?? [];
  const filled = Object.entries(words).reduce((text, [from, to]) => text.replaceAll(from, to), json);
  return JSON.parse(filled) as ReturnType<typeof readExample>;
}

/** One port, a group of the nodes, and a way out without them. */
const ownTemplate = {
  name: 'own',
  engine: 'sing-box' as const,
  description: 'One port.',
  params: {
    port: { type: 'port' as const, description: 'Where programs connect.', default: 2080 },
    key: { type: 'secret' as const, description: 'For the port.', optional: true },
  },
  document: {
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: '${port}' }],
    outbounds: [{ type: 'urltest', tag: 'auto', outbounds: ['$nodes'] }, { $groups: true }, { $nodes: true }],
    route: { final: 'auto' },
  },
};

test('a pipeline changes nodes and makes groups; what it made is frozen with its version', async () => {
  await using manager = await openDemo(engine);
  const { client } = manager;
  const pipeline = [
    { operator: 'filter' as const, keep: { country: 'DE' } },
    { operator: 'rename' as const, prefix: '{subscription} ' },
    { operator: 'group' as const, tag: 'germany', type: 'selector' as const, match: { country: 'DE' } },
  ];
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'], pipeline } });
  const first = await exported(client);
  expect(first.outbounds.find(({ tag }) => tag === 'germany')?.outbounds).toEqual(['demo DE One', 'demo DE Three']);
  expect(JSON.stringify(first)).not.toContain('NL Two');
  // The name of the subscription was frozen too.
  await client.subscriptions.update({ params: { id: 'demo' }, headers: anyRevision, body: { name: 'renamed' } });
  const { created } = await client.configs.generate({ params, body: {} });
  expect(created).toBe(true);
  expect(JSON.stringify(await exported(client))).toContain('renamed DE One');
  await client.configs.rollback({ params, body: { version: 1 } });
  expect(await exported(client, 3)).toEqual(first);
});

test('a recipe that cannot work is refused when it is saved', async () => {
  await using manager = await openDemo();
  const { client } = manager;
  const body = { name: 'home', subscriptions: ['demo'] };
  const bad = { operator: 'filter' as const, keep: { name: '(' } };
  const creating = client.configs.create({
    body: { ...body, pipeline: [{ operator: 'country' as const, flag: 'add' as const }, bad] },
  });
  await expect(creating).rejects.toMatchObject({ code: 'pipeline.invalid', details: { index: 1 } });
  const attempts = [
    { ...body, template: { name: 'nothing' } },
    { ...body, template: { name: 'mixed', params: { prot: 1 } } },
    { ...body, patch: [{ op: 'remove' as const, path: '/nothing' }] },
    { ...body, subscriptions: [] },
    { ...body, template: { name: 'server', params: {} } },
  ];
  const codes = [];
  for (const one of attempts) codes.push(await codeOf(client.configs.create({ body: one })));
  expect(codes).toEqual([
    'template.not-found',
    'template.invalid-parameter',
    'template.invalid',
    'request.invalid',
    expect.stringMatching(/^template\./),
  ]);
  await client.configs.create({ body });
  expect(await codeOf(client.configs.update({ params, headers: anyRevision, body: { pipeline: [bad] } }))).toBe(
    'pipeline.invalid',
  );
  expect((await client.configs.get({ params })).pipeline).toEqual([]);
});

test('a file that agents would refuse is warned of', async () => {
  await using manager = await openDemo();
  const { client } = manager;
  const rule_set = [null, { type: 'local', tag: 'mine', format: 'binary', path: '/etc/sing-box/mine.srs' }];
  const patch = [{ op: 'add' as const, path: '/route/rule_set', value: rule_set }];
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'], patch } });
  expect((await client.configs.validate({ params })).warnings).toMatchObject([
    { code: 'rule-set.stray-file', path: 'route.rule_set[1].path' },
  ]);
});

test('what every config had before still renders to the same bytes, and a patch goes over it', async () => {
  await using manager = await openDemo(engine);
  const { client } = manager;
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const plain = await client.configs.version({ params: { id: 'home', version: 1 } });
  expect(plain).toMatchObject({ template: null, rule_sets: [], renditions: [{ files: [{ path: 'nodes.json' }] }] });
  const patch = [{ op: 'replace' as const, path: '/log/level', value: 'error' }];
  await client.configs.update({ params, headers: anyRevision, body: { patch } });
  const { version } = await client.configs.generate({ params, body: {} });
  expect(version).toMatchObject({ version: 2, template: { name: 'mixed', version: null } });
  const [before, after] = [await exported(client, 1), await exported(client, 2)];
  expect(after).toEqual({ ...before, log: { ...(before['log'] as object), level: 'error' } });

  // What a patch puts in the place of a secret is one; sent back as it was shown it stays.
  const secret = { op: 'add' as const, path: '/inbounds/0/users', value: [{ username: 'me', password: 'hidden-one' }] };
  const more = { op: 'replace' as const, path: '/inbounds/0/users/0/password', value: 'hidden-two' };
  const update = { params, headers: anyRevision };
  const shown = await client.configs.update({ ...update, body: { patch: [...patch, secret, more] } });
  expect(JSON.stringify(shown)).not.toContain('hidden-');
  expect(shown.patch.at(0)).toEqual(patch[0]);
  await client.configs.update({ ...update, body: { patch: [...shown.patch] } });
  const revealed = await client.configs.get({ params, query: { reveal: 'true' } });
  expect(revealed.patch).toEqual([...patch, secret, more]);
});

test('templates: ready ones are there and stay, own ones keep every version, and none goes while a config uses it', async () => {
  await using manager = await openDemo(engine);
  const { client } = manager;
  const ready = (await client.templates.list()).items;
  expect(ready.map(({ name, built_in }) => [name, built_in])).toContainEqual(['mixed', true]);
  const named = { params: { name: 'own' } };
  await client.templates.create({ body: { template: ownTemplate } });
  expect(await codeOf(client.templates.create({ body: { template: ownTemplate } }))).toBe('template.exists');
  expect(await codeOf(client.templates.create({ body: { template: { ...ownTemplate, name: 'mixed' } } }))).toBe(
    'template.exists',
  );
  const broken = { ...ownTemplate, name: 'broken', document: { log: '${nothing}' } };
  expect(await codeOf(client.templates.create({ body: { template: broken } }))).toBe('template.invalid');
  const template = { name: 'own', params: { port: 3000, key: 'hidden-key' } };
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'], template } });
  // A secret is put nowhere that is shown, and what is one in one template is one in all.
  const open = { ...ownTemplate.params, key: { ...ownTemplate.params.key, type: 'string' as const } };
  const tagged = { ...ownTemplate.document, log: { output: '${key}' } };
  for (const given of [
    { ...ownTemplate, document: tagged },
    { ...ownTemplate, params: open },
  ]) {
    const replaced = client.templates.replace({ ...named, headers: anyRevision, body: { template: given } });
    expect(await codeOf(replaced)).toBe('template.invalid');
    const made = client.templates.create({ body: { template: { ...given, name: 'second' } } });
    expect(await codeOf(made)).toBe('template.invalid');
  }
  expect(await exported(client)).toMatchObject({ inbounds: [{ listen_port: 3000 }] });

  // A secret is not shown, and what was shown may be sent back.
  const shown = await client.configs.get({ params });
  expect(shown.template.params).toEqual({ port: 3000, key: '***' });
  const revealed = await client.configs.get({ params, query: { reveal: 'true' } });
  expect(revealed.template.params).toEqual({ port: 3000, key: 'hidden-key' });
  await client.configs.update({ params, headers: anyRevision, body: { template: shown.template } });
  expect((await client.configs.generate({ params, body: {} })).created).toBe(false);
  const other = { template: { name: 'own', params: { port: '***' } } };
  expect(await codeOf(client.configs.update({ params, headers: anyRevision, body: other }))).toBe('request.invalid');

  const changed = { ...ownTemplate, document: { ...ownTemplate.document, log: { level: 'error' } } };
  const body = { template: changed, message: 'quiet' };
  expect(await client.templates.replace({ ...named, headers: anyRevision, body })).toMatchObject({ version: 2 });
  expect(await client.templates.replace({ ...named, headers: anyRevision, body })).toMatchObject({ version: 2 });
  expect((await client.templates.versions(named)).items).toMatchObject([
    { version: 2, message: 'quiet', author: 'admin' },
    { version: 1 },
  ]);
  expect((await client.templates.get({ ...named, query: { version: 1 } })).document).toEqual(ownTemplate.document);
  const { version } = await client.configs.generate({ params, body: {} });
  expect(version.template).toEqual({ name: 'own', version: 2 });
  expect(await exported(client, 2)).toMatchObject({ log: { level: 'error' } });
  expect(await exported(client, 1)).not.toHaveProperty('log');

  expect(await codeOf(client.templates.remove({ ...named, headers: anyRevision }))).toBe('template.in-use');
  const readOnly = client.templates.remove({ params: { name: 'mixed' }, headers: anyRevision });
  expect(await codeOf(readOnly)).toBe('template.read-only');
  await client.configs.remove({ params, headers: anyRevision });
  await client.templates.remove({ ...named, headers: anyRevision });
  expect(await codeOf(client.templates.get(named))).toBe('template.not-found');

  // Values for it are kept: under its name, or another, nobody makes them open.
  for (const name of ['own', 'second'])
    await expect(
      client.templates.create({ body: { template: { ...ownTemplate, name, params: open } } }),
    ).rejects.toThrow('params.key: it is a secret in a template that was deleted');
  // A name that somebody else makes a secret of keeps nobody from editing what has it already.
  const { key, ...others } = ownTemplate.params;
  const mine = { ...ownTemplate, params: { ...others, mine: { ...key, type: 'string' as const } } };
  await client.templates.create({ body: { template: mine } });
  const theirs = { ...ownTemplate, name: 'theirs', params: { ...others, mine: key } };
  await client.templates.create({ body: { template: theirs } });
  const edited = { ...mine, description: 'Another.' };
  expect(await client.templates.replace({ ...named, headers: anyRevision, body: { template: edited } })).toMatchObject({
    version: 2,
  });
});

test('an existing config is adopted: without subscriptions it renders to what it was', async () => {
  await using manager = await openDemo(engine);
  const { client } = manager;
  const document = {
    log: { level: 'warn' },
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 2080 }],
    outbounds: [
      { type: 'selector', tag: 'main', outbounds: ['far'] },
      {
        type: 'socks',
        tag: 'far',
        server: '192.0.2.7',
        server_port: 1080,
        username: 'me',
        password: 'hidden-password',
      },
    ],
    route: { final: 'main' },
  };
  const text = `// mine\n${JSON.stringify(document)}`;
  const adopted = await client.templates.adopt({ body: { name: 'mine', document: text } });
  expect(adopted).toMatchObject({ groups: ['main'], main_group: 'main', findings: [], nodes: [{ tag: 'far' }] });
  expect(JSON.stringify(adopted)).not.toContain('hidden-password');
  const { revision: _, ...shown } = await client.templates.get({ params: { name: 'mine' } });
  const revealed = await client.templates.get({ params: { name: 'mine' }, query: { reveal: 'true' } });
  expect([JSON.stringify(shown), JSON.stringify(revealed)].map((one) => one.includes('hidden-password'))).toEqual([
    false,
    true,
  ]);
  await client.configs.create({ body: { name: 'home', template: { name: 'mine' } } });
  expect(await exported(client)).toEqual(document);
  await client.configs.update({ params, headers: anyRevision, body: { subscriptions: ['demo'] } });
  await client.configs.generate({ params, body: {} });
  const main = (await exported(client)).outbounds.find(({ tag }) => tag === 'main');
  expect(main?.outbounds).toEqual(['far', 'DE One', 'NL Two', 'DE Three']);
});

test('hosts are resolved when a version is made, and stay as they were in it', async () => {
  let answer = '198.51.100.7';
  const lookup = async (host: string) => await Promise.resolve(host === 'node.example' && answer ? [answer] : []);
  await using manager = await openManager(engine, { lookup });
  const { client } = manager;
  const text = 'trojan://example-password@node.example:443#One\ntrojan://example-password@lost.example:443#Two';
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text } } });
  const pipeline = [{ operator: 'resolve' as const, on_failure: 'drop' as const }];
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'], pipeline } });
  expect(JSON.stringify(await exported(client))).toContain('198.51.100.7');
  expect(JSON.stringify(await exported(client))).not.toContain('lost.example');
  answer = '198.51.100.8';
  await client.configs.generate({ params, body: {} });
  expect(JSON.stringify(await exported(client, 2))).toContain('198.51.100.8');
  await client.configs.rollback({ params, body: { version: 1 } });
  expect(JSON.stringify(await exported(client, 3))).toContain('198.51.100.7');
  // Nobody answers: what was known stays, and no node is dropped.
  answer = '';
  expect((await client.configs.generate({ params, body: {} })).created).toBe(false);
});

test('rule-sets are mirrored, frozen with the version, sent to servers, and followed when they change', async () => {
  let rules = { version: 1, rules: [{ domain: ['one.example'] }] };
  let isUp = true;
  const server = createServer((_, response) => {
    if (isUp) response.end(JSON.stringify(rules));
    else response.writeHead(404).end('<html>gone</html>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rules.json`;
  const manager = stack.use(await openDemo({ ...engine, fetch: { allow: ['127.0.0.1/32'] } }));
  const { client } = manager;
  const { patch } = readExample('rule-sets', { 'https://rules.example/ads.json': url });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'], patch } });
  const first = await client.configs.version({ params: { id: 'home', version: 1 } });
  const [ref] = first.rule_sets;
  const name = `rule-sets/${ref?.digest.slice(7)}.json`;
  expect(first.renditions[0]?.files).toContainEqual({ path: name, digest: ref?.digest, size: ref?.size });
  expect(await exported(client)).toMatchObject({
    route: { rule_set: [{ type: 'local', tag: 'ads', format: 'source', path: name }] },
  });

  const agent = await joinAgent(manager, 'edge');
  await client.configs.deploy({ params, body: {} });
  const unit = (await agent.manifest())?.manifest.units[0];
  expect(unit?.files?.map((file) => file.path).toSorted()).toEqual(['nodes.json', name]);
  const blob = await agent.client.blob({ params: { digest: ref?.digest ?? '' } });
  expect(JSON.parse(Buffer.from(blob.bytes ?? []).toString())).toEqual(rules);
  const stranger = await joinAgent(manager, 'other');
  expect(await codeOf(stranger.client.blob({ params: { digest: ref?.digest ?? '' } }))).toBe('blob.not-found');
  const bundle = await client.servers.bundle({ params: { id: 'edge' } });
  expect(Buffer.from(bundle.bytes ?? []).includes(`blobs/sha256/${ref?.digest.slice(7)}`)).toBe(true);

  isUp = false;
  expect(await client.ruleSets.refresh({ body: {} })).toMatchObject({ items: [{ outcome: 'failed' }] });
  expect(await client.ruleSets.list()).toMatchObject({ items: [{ state: 'stale', configs: ['home'] }] });
  expect((await client.configs.generate({ params, body: {} })).created).toBe(false);
  isUp = true;
  rules = { version: 1, rules: [{ domain: ['two.example'] }] };
  await client.ruleSets.refresh({ body: {} });
  for (let turn = 0; turn < 300 && (await client.configs.get({ params })).version !== 2; turn += 1);
  const second = await client.configs.version({ params: { id: 'home', version: 2 } });
  expect(second).toMatchObject({ author: 'manager', message: 'rule-sets changed' });
  expect(second.rule_sets[0]?.digest).not.toBe(ref?.digest);
});
