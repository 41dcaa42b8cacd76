import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openTestHost, type TestHost } from './test-host.ts';

const links = [
  '#profile-title: Example',
  'trojan://long-secret@192.0.2.1:443?sni=a.example#Amsterdam NL',
  'ss://YWVzLTEyOC1nY206c2VjcmV0@192.0.2.2:8388#Oslo NO',
  'ss://cmM0LW1kNTpzZWNyZXQ=@192.0.2.4:8388#Old DE',
].join('\n');

function openNodes(): TestHost {
  const host = openTestHost();
  writeFileSync(path.join(host.dir, 'nodes.txt'), links);
  return host;
}

test('inspect shows what the provider says, and the nodes of an expression', async () => {
  using host = openNodes();
  const all = await host.run(['inspect', 'nodes.txt']);
  expect(all.stderr).toContain('title: Example');
  const some = await host.run(['inspect', 'nodes.txt', '--nodes', 'country in (NL, DE)', '-o', 'name']);
  expect(some.stdout).toBe('Amsterdam NL\nOld DE\n');
  const json = await host.run(['inspect', 'nodes.txt', '-o', 'json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ format: 'links', metadata: { title: 'Example', notices: [] } });
  expect((await host.run(['inspect', 'nodes.txt', '--nodes', 'country ~'])).code).toBe(7);
});

test.each(['links', 'base64', 'clash', 'sing-box'])('convert --to %s gives the same nodes', async (to) => {
  using host = openNodes();
  expect(await host.run(['convert', 'nodes.txt', '--to', to, '-f', 'out'])).toMatchObject({ code: 0 });
  const ids = async (file: string): Promise<string[]> => {
    const { stdout } = await host.run(['inspect', file, '-o', 'json']);
    return (JSON.parse(stdout) as { nodes: { id: string }[] }).nodes.map(({ id }) => id);
  };
  expect(await ids('out')).toEqual(await ids('nodes.txt'));
});

test('convert says what the other form cannot carry', async () => {
  using host = openNodes();
  const juicity = 'juicity://b831381d-6324-4d53-ad4f-8cda48b30811:pw@192.0.2.5:443?sni=a.example#Juice';
  const some = await host.run(['convert', '-', '--to', 'sing-box'], { input: `${links}\n${juicity}` });
  expect(some).toMatchObject({ code: 9, stderr: expect.stringMatching(/left out Juice: .+\nwrote 3 of 4 nodes/) });
  expect((await host.run(['convert', '-', '--to', 'sing-box'], { input: juicity })).code).toBe(7);
});

test('convert needs a form that it knows', async () => {
  using host = openNodes();
  const { code, stderr } = await host.run(['convert', 'nodes.txt', '--to', 'toml']);
  expect(code).toBe(2);
  expect(stderr).toContain('links, base64, clash, sing-box');
});

test('check takes comments, and warns of what goes away', async () => {
  using host = openNodes();
  writeFileSync(
    path.join(host.dir, 'c.json'),
    '{\n  // mine\n  "outbounds": [{"type": "direct", "tag": "d"},],\n  "route": {"rules": [{"inbound": "nobody", "action": "reject"}]}\n}',
  );
  const loose = await host.run(['check', 'c.json']);
  expect(loose).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('! route.rules[0].inbound: there is no inbound "nobody"'),
  });
  expect((await host.run(['check', 'c.json', '--strict'])).code).toBe(7);
});

test('diff of two configs: what it means, every value, and exit 20', async () => {
  using host = openNodes();
  await host.run(['generate', '-u', 'nodes.txt', '-f', 'a.json', '--no-check']);
  await host.run([
    'generate',
    '-u',
    'nodes.txt',
    '-f',
    'b.json',
    '--no-check',
    '--port',
    '1099',
    '--exclude',
    'country == NO',
  ]);
  const meaning = await host.run(['diff', 'a.json', 'b.json', '--exit-code']);
  expect(meaning.code).toBe(20);
  expect(meaning.stdout).toMatch(/^−1 node, .*1 inbound changed, DNS unchanged\n- Oslo NO$/m);
  const values = await host.run(['diff', 'a.json', 'b.json', '--text']);
  expect(values.stdout).toContain('- inbounds[in].listen_port = 2080\n+ inbounds[in].listen_port = 1099');
  expect(values.stdout).not.toContain('"secret"');
  const secret = readFileSync(path.join(host.dir, 'a.json'), 'utf8').replace('long-secret', 'new-secret');
  writeFileSync(path.join(host.dir, 'c.json'), secret);
  const hidden = await host.run(['diff', 'a.json', 'c.json', '--text', '--exit-code']);
  expect(hidden).toMatchObject({ code: 20, stdout: expect.stringContaining('only hidden values differ') });
  const shown = await host.run(['diff', 'a.json', 'c.json', '--text', '--reveal']);
  expect(shown.stdout).toBe(
    '- outbounds[Amsterdam NL].password = "long-secret"\n+ outbounds[Amsterdam NL].password = "new-secret"\n',
  );
  expect(await host.run(['diff', 'a.json', 'a.json', '--exit-code'])).toMatchObject({
    code: 0,
    stdout: 'no changes\n',
  });
});

test('diff of two subscriptions goes by id', async () => {
  using host = openNodes();
  writeFileSync(
    path.join(host.dir, 'new.txt'),
    links.replace('#Oslo NO', '#Oslo 2').split('\n').slice(0, 3).join('\n'),
  );
  const { code, stdout } = await host.run(['diff', 'nodes.txt', 'new.txt', '--exit-code']);
  expect({ code, stdout }).toEqual({
    code: 20,
    stdout: '- Old DE (shadowsocks)\n~ Oslo NO is now Oslo 2\n1 unchanged\n',
  });
  writeFileSync(path.join(host.dir, 'c.json'), '{"inbounds": []}');
  expect((await host.run(['diff', 'nodes.txt', 'c.json'])).code).toBe(2);
});

test('exclusions are kept in a file, by id, and generate drops them', async () => {
  using host = openNodes();
  const env = { SBOX_SING_BOX: undefined, SBOXMGR_EXCLUSION_FILE: path.join(host.dir, 'lists/mine.json') };
  const run = async (...words: string[]) => await host.run(words, { env });
  expect(await run('exclusion', 'add', 'Oslo NO', '-u', 'nodes.txt', '--reason', 'slow')).toMatchObject({ code: 0 });
  expect(await run('exclusion', 'add', '192.0.2.4', '(?i)amster', '--by', 'pattern')).toMatchObject({ code: 0 });
  expect((await run('exclusion', 'add', '(', '--by', 'pattern')).code).toBe(7);
  expect((await run('exclusion', 'add', 'Nowhere', '-u', 'nodes.txt')).code).toBe(3);
  const { stdout } = await run('exclusion', 'list', '-o', 'json');
  expect(JSON.parse(stdout)).toMatchObject({
    exclusions: [{ kind: 'id', tag: 'Oslo NO', reason: 'slow' }, { kind: 'pattern' }, { kind: 'pattern' }],
  });
  expect((await run('exclusion', 'test', 'nodes.txt', '-o', 'name')).stdout).toBe('Amsterdam NL\nOslo NO\n');
  const made = await run('generate', '-u', 'nodes.txt', '--exclusions', '--engine-version', '1.14.0');
  expect((JSON.parse(made.stdout) as { outbounds: { tag: string }[] }).outbounds.map(({ tag }) => tag)).toEqual([
    'select',
    'auto',
    'Old DE',
    'direct',
  ]);
  expect((await run('exclusion', 'remove', 'Oslo NO')).code).toBe(0);
  expect((await run('exclusion', 'remove', 'Oslo NO')).code).toBe(3);
  expect((await run('exclusion', 'clear')).code).toBe(2);
  expect((await run('exclusion', 'clear', '--yes')).code).toBe(0);
  expect(JSON.parse(readFileSync(env.SBOXMGR_EXCLUSION_FILE, 'utf8'))).toEqual({ version: 1, exclusions: [] });
});

test('a list that is damaged is said, and not written over', async () => {
  using host = openNodes();
  const file = path.join(host.dir, 'sbox-exclusions.json');
  writeFileSync(file, '{"exclusions": [{"kind": "planet"}]}');
  expect((await host.run(['exclusion', 'add', '192.0.2.4'])).stderr).toContain('is no list of exclusions');
  writeFileSync(file, '{');
  expect((await host.run(['exclusion', 'list'])).stderr).toContain('Mend the file');
  expect(readFileSync(file, 'utf8')).toBe('{');
});

test('policies: what they find, and which are on', async () => {
  using host = openNodes();
  const denied = await host.run(['policy', 'test', 'nodes.txt', '-o', 'json']);
  expect(denied.code).toBe(7);
  expect(JSON.parse(denied.stdout)).toMatchObject([{ policy: 'weak-cipher', node: { tag: 'Old DE' } }]);
  const refused = await host.run(['generate', '-u', 'nodes.txt', '--policies', '-f', 'config.json']);
  expect(refused).toMatchObject({ code: 7, stderr: expect.stringContaining('cause: Old DE: its cipher is broken') });
  expect((await host.run(['policy', 'disable', 'weak-cipher'])).code).toBe(0);
  expect(await host.run(['generate', '-u', 'nodes.txt', '--policies', '-f', 'config.json'])).toMatchObject({ code: 0 });
  expect((await host.run(['policy', 'test', 'nodes.txt'])).code).toBe(0);
  expect((await host.run(['policy', 'test', 'nodes.txt', '--policy', 'weak-cipher'])).code).toBe(7);
  const audit = await host.run(['policy', 'audit', 'nodes.txt', '--country', 'NL', '-o', 'json']);
  expect(audit.code).toBe(0);
  expect(JSON.parse(audit.stdout)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ policy: 'weak-cipher', enabled: false, nodes: ['Old DE'] }),
      expect.objectContaining({ policy: 'country', nodes: ['Oslo NO', 'Old DE'] }),
    ]),
  );
  expect((await host.run(['policy', 'enable', 'weak-cipher'])).code).toBe(0);
  expect((await host.run(['policy', 'test', 'nodes.txt'])).code).toBe(7);
  expect((await host.run(['policy', 'enable', 'nothing-like-it'])).stderr).toContain('weak-cipher');
  writeFileSync(path.join(host.dir, 'sbox-policies.json'), '{"policies": [{"name": "mine", "verdict": "maybe"}]}');
  expect((await host.run(['policy', 'list'])).stderr).toMatch(/policies\[0\]\.verdict: must be one of deny, warn/);
});

test('templates: listed, shown, rendered, looked through', async () => {
  using host = openNodes();
  expect((await host.run(['template', 'list', '-o', 'name'])).stdout).toContain('rule-routing\n');
  expect((await host.run(['template', 'show', 'mixed'])).stdout).toContain('  port (port, default 1080): The port.');
  const rendered = await host.run(['template', 'render', 'mixed', '--set', 'port=1234', '-u', 'nodes.txt', '-q']);
  expect(JSON.parse(rendered.stdout)).toMatchObject({ inbounds: [{ listen_port: 1234 }] });
  const own = {
    name: 'own',
    engine: 'sing-box',
    description: 'x',
    params: { port: { type: 'port', description: 'p' } },
  };
  const file = path.join(host.dir, 'own.json');
  writeFileSync(file, JSON.stringify({ ...own, document: { inbounds: [{ listen_port: '${port}' }] } }));
  expect((await host.run(['template', 'lint', 'own.json'])).stdout).toContain('have to be given: port');
  const missing = await host.run(['generate', '--template', './own.json', '-u', 'nodes.txt']);
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('port: it has to be given') });
  writeFileSync(file, JSON.stringify({ ...own, document: { log: { level: '${colour}' } } }));
  const wrong = await host.run(['template', 'lint', 'own.json']);
  expect(wrong).toMatchObject({ code: 7, stderr: expect.stringContaining('${colour} is not the name of a parameter') });
});

test('adopt: the first render of the template is the same document', async () => {
  using host = openNodes();
  await host.run(['generate', '-u', 'nodes.txt', '-f', 'config.json']);
  const adopted = await host.run(['template', 'adopt', 'config.json', '-f', 'own.yaml']);
  expect(adopted).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('config: 3 nodes of its own, groups: select, auto'),
  });
  expect((await host.run(['template', 'adopt', 'config.json', '--name', 'own'])).stderr).toContain('is there already');
  await host.run(['generate', '--template', './own.yaml', '-f', 'again.json']);
  const read = (file: string): string => readFileSync(path.join(host.dir, file), 'utf8');
  expect(read('again.json')).toBe(read('config.json'));
});

test('operators and capabilities can be looked up', async () => {
  using host = openTestHost();
  expect((await host.run(['operator', 'list', '-o', 'name'])).stdout).toContain('dedupe\n');
  expect((await host.run(['operator', 'show', 'rename'])).stdout).toContain('In a recipe:');
  expect((await host.run(['operator', 'show', 'bake'])).code).toBe(2);
  const old = await host.run(['engine', 'capabilities', '--engine-version', '1.12', '-o', 'json']);
  expect(JSON.parse(old.stdout)).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: 'trojan', available: true })]),
  );
  expect((await host.run(['engine', 'capabilities', '--engine-version', '1.9'])).code).toBe(7);
});
