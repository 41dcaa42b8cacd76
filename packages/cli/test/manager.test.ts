import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openManaged } from './managed.ts';
import { singBox, type Ran } from './test-host.ts';

const links = [
  'trojan://long-secret@192.0.2.1:443?sni=a.example#Amsterdam NL',
  'trojan://other-secret@192.0.2.3:443?sni=b.example#Berlin DE',
].join('\n');
const recipe = `
pipeline:
  - { operator: group, tag: germany, type: urltest, match: { country: DE } }
tests:
  - { name: ads, destination: x.ads.example, expect: { verdict: reject } }
`;

test('a config of the manager: its recipe, questions, tests, templates', async () => {
  await using manager = await openManaged();
  const { run, host } = manager;
  const file = (name: string): string => path.join(host.dir, name);
  writeFileSync(file('nodes.txt'), links);
  writeFileSync(file('recipe.yaml'), recipe);
  expect(await run('subscription', 'add', 'home', './nodes.txt')).toMatchObject({ code: 0 });

  const words =
    'config create main --subscription home --template mixed --set block_domains=ads.example --set port=1099';
  const made = await run(...words.split(' '), '--pipeline', 'recipe.yaml', '--tests', 'recipe.yaml');
  expect(made).toMatchObject({ code: 0, stdout: 'main: version 1\n' });

  const dest = await run('explain', 'config', 'main', '--dest', 'x.ads.example:443');
  expect(dest).toMatchObject({ code: 0, stdout: expect.stringMatching(/^verdict {4}is refused\nrule {7}2: /) });
  const node = await run('explain', 'config', 'main', '--node', 'Berlin DE', '-o', 'json');
  expect(JSON.parse(node.stdout)).toMatchObject({ version: 1, node: { verdict: 'kept', tag: 'Berlin DE' } });
  expect((await run('explain', 'config', 'main')).code).toBe(2);
  expect((await run('explain', 'config', 'nobody', '--dest', 'a.example')).code).toBe(3);

  const tested = await run('config', 'test', 'main', '--junit', 'results.xml');
  expect(tested).toMatchObject({ code: 0, stdout: expect.stringContaining('✔ ads') });
  expect(readFileSync(file('results.xml'), 'utf8')).toContain('classname="main" name="ads"');
  const piped = await run('config', 'test', 'main', '--junit', '-');
  expect(piped).toMatchObject({
    stdout: readFileSync(file('results.xml'), 'utf8'),
    stderr: expect.stringContaining('✔ ads'),
  });

  expect(
    await run(
      'config',
      'edit',
      'main',
      '--template',
      'mixed',
      '--set',
      'port=1100',
      '--set',
      'block_domains=ads.example',
    ),
  ).toMatchObject({ code: 0 });
  expect(await run('config', 'generate', 'main')).toMatchObject({ code: 0 });
  const diff = await run('config', 'diff', 'main', '2', '--exit-code');
  expect(diff).toMatchObject({ code: 20, stdout: '1 inbound changed, DNS unchanged\n~ inbound in: listen_port\n' });

  const upgrade = await run('config', 'upgrade-preview', 'main', '--to', '1.13');
  expect(upgrade).toMatchObject({ code: 0, stdout: expect.stringMatching(/→ 1\.13\.0: it would run/) });
  expect(await run('rule-set', 'list')).toMatchObject({ code: 0 });
  expect(await run('rule-set', 'refresh')).toMatchObject({ code: 0 });
});

test('a port that was asked for is the port, whatever the template', async () => {
  await using manager = await openManaged();
  const { run, host } = manager;
  writeFileSync(path.join(host.dir, 'nodes.txt'), links);
  await run('subscription', 'add', 'home', './nodes.txt');
  const create = async (name: string, ...more: string[]): Promise<Ran> =>
    await run('config', 'create', name, '--subscription', 'home', '--template', ...more, '--port', '1099');
  const portOf = async (name: string): Promise<unknown> =>
    (JSON.parse((await run('config', 'export', name)).stdout) as { inbounds: { listen_port: number }[] }).inbounds[0]
      ?.listen_port;

  await create('plain', 'mixed');
  await create('ads', 'mixed', '--set', 'block_domains=ads.example');
  expect([await portOf('plain'), await portOf('ads')]).toEqual([1099, 1099]);
  const server = await create('relay', 'server', '--set', 'vless_port=443');
  expect(server).toMatchObject({ code: 2, stderr: expect.stringContaining('server has no such parameter') });

  expect(await run('config', 'edit', 'plain', '--port', '1100')).toMatchObject({ code: 0 });
  const edited = await run('config', 'edit', 'ads', '--port', '1100');
  expect(edited).toMatchObject({ code: 2, stderr: expect.stringContaining('--template mixed --set port=1100') });
});

test('templates of the manager', async () => {
  await using manager = await openManaged();
  const { run, host } = manager;
  const own = {
    name: 'x',
    engine: 'sing-box',
    description: 'Mine.',
    params: {},
    document: { outbounds: [{ type: 'direct', tag: 'd' }] },
  };
  writeFileSync(path.join(host.dir, 'own.json'), JSON.stringify(own));
  expect(await run('template', 'create', 'own', '--file', 'own.json')).toMatchObject({
    code: 0,
    stdout: 'own: version 1\n',
  });
  writeFileSync(path.join(host.dir, 'own.json'), JSON.stringify({ ...own, description: 'Newer.' }));
  expect(await run('template', 'edit', 'own', '--file', 'own.json', '-m', 'why')).toMatchObject({ code: 0 });
  expect((await run('template', 'list', '--remote', '-o', 'name')).stdout).toContain('own\n');
  expect((await run('template', 'list', '-o', 'name')).stdout).toContain('own\n');
  expect((await run('template', 'list', '--local', '-o', 'name')).stdout).not.toContain('own\n');
  expect((await run('template', 'show', './own.json')).stdout).toContain('x: Newer.');
  expect((await run('template', 'show', 'own')).stdout).toContain('own: Newer.');
  const history = await run('template', 'history', 'own', '-o', 'json');
  expect(JSON.parse(history.stdout)).toMatchObject([{ version: 2, message: 'why' }, { version: 1 }]);
  expect((await run('template', 'create', 'own')).code).toBe(2);
  expect((await run('template', 'remove', 'own')).code).toBe(0);
  expect((await run('template', 'history', 'own')).code).toBe(3);
});

test('engines: given to the manager, given to a server, carried in a bundle', async () => {
  await using manager = await openManaged();
  const { run, host } = manager;
  const file = (name: string): string => path.join(host.dir, name);
  writeFileSync(file('nodes.txt'), links);
  expect(await run('engine', 'list')).toMatchObject({ code: 0, stderr: expect.stringContaining('sboxmgr engine add') });
  expect((await run('engine', 'add', './nodes.txt')).code).toBe(7);
  expect((await run('engine', 'add', './nothing')).code).toBe(3);
  const added = await run('engine', 'add', singBox);
  const [, version = '', arch = ''] = /^sing-box (\S+) for (\w+): sha256:[0-9a-f]{64}\n$/.exec(added.stdout) ?? [];
  expect([added.code, version, arch]).toEqual([0, expect.stringMatching(/^1\.\d+\.\d+/), process.arch]);
  expect((await run('engine', 'add', singBox)).code).toBe(0);

  await run('subscription', 'add', 'home', './nodes.txt');
  await run('config', 'create', 'main', '--subscription', 'home');
  await run('server', 'add', 'edge', '--offline');
  const words = ['config', 'deploy', 'main', '--server', 'edge', '--no-wait', '--engine'];
  expect(await run(...words, '1.0.99')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('there is no sing-box'),
  });
  expect((await run(...words, version, '--confirm', 'soon')).code).toBe(2);
  expect((await run(...words, version, '--confirm', '2m')).code).toBe(0);
  const [deployed] = JSON.parse((await run('deployment', 'list', '-o', 'json')).stdout) as Record<string, unknown>[];
  expect(deployed).toMatchObject({ engine: version, confirm_ms: 120_000 });

  const without = await run('server', 'bundle', 'edge');
  expect(without).toMatchObject({ code: 0, stderr: expect.stringContaining(`sing-box ${version} is not in it`) });
  const small = readFileSync(file('edge.sbox.tar')).length;
  expect((await run('server', 'bundle', 'edge', '--with-engine')).code).toBe(0);
  expect(readFileSync(file('edge.sbox.tar')).length - small).toBeGreaterThan(readFileSync(singBox).length);
  expect((await run('engine', 'remove', version)).code).toBe(5);
  expect((await run('engine', 'remove', '1.0.99')).code).toBe(3);
});
