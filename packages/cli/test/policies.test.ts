import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openManaged } from './managed.ts';
import { openTestHost } from './test-host.ts';

const nodes = ['NL', 'FR', 'DE']
  .map((name, index) => `trojan://example-password@192.0.2.${index + 1}:443?sni=example.test#${name}%201`)
  .join('\n');

test('policies of the manager: made, tried, edited, switched and removed; a publish that is refused becomes a draft', async () => {
  await using managed = await openManaged();
  const { run, host } = managed;
  writeFileSync(path.join(host.dir, 'nodes.txt'), nodes);
  writeFileSync(path.join(host.dir, 'few.yaml'), 'reason: too few nodes\nverdict: warn\nquery: {}\nat_least: 9\n');
  const good = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(...words);
    expect([words.join(' '), code, code === 0 ? '' : stderr]).toEqual([words.join(' '), 0, '']);
    return `${stdout}${stderr}`;
  };
  await good('subscription', 'add', 'home', 'nodes.txt');
  await good('config', 'create', 'main', '--subscription', 'home');

  expect(await good('policy', 'list')).toMatch(/open-inbound +no +deny +all +sbox/);
  await good('policy', 'enable', 'open-inbound');
  const local = ['policy', 'list', '--local', '-o', 'json'];
  expect(JSON.parse(await good(...local))).toContainEqual(
    expect.objectContaining({ name: 'open-inbound', enabled: false }),
  );
  expect((await run('policy', 'list', '--local', '--remote')).code).toBe(2);
  const germany = 'nodes.all(n, n.country != "DE")';
  const made = ['policy', 'create', 'no-germany', '--reason', 'not there', '--expression', germany, '--config', 'main'];
  expect(await good(...made, '--disabled')).toContain('no-germany: off, deny');
  await good('policy', 'create', 'few', '-f', 'few.yaml');
  expect(await good('policy', 'list', '--remote')).toMatch(/no-germany +no +deny +main +people +not there/);
  expect(await good('policy', 'show', 'few')).toMatch(/at_least: 9[^]*built_in: false/);

  const named = await run('policy', 'test', '--config', 'main', '--policy', 'no-germany', '-o', 'json');
  expect(named.code).toBe(7);
  expect(JSON.parse(named.stdout)).toMatchObject([{ policy: 'no-germany', node: { tag: 'DE 1' } }]);
  expect(await good('policy', 'test', '--config', 'main@1', '--expression', 'size(nodes) == 3')).toContain(
    '0 findings in version 1',
  );
  expect((await run('policy', 'test', '--config', 'main')).stdout).toMatch(/few +warn +3 nodes/);
  const wrong = await run('policy', 'create', 'typo', '--reason', 'x', '--expression', 'node == 1');
  expect([wrong.code, wrong.stderr]).toEqual([7, expect.stringContaining('line 1, column 1: Unknown variable: node')]);
  expect((await run('policy', 'create', 'empty', '--reason', 'x')).code).toBe(2);

  await good('policy', 'edit', 'no-germany', '--all-configs', '--description', 'since June');
  await good('policy', 'enable', 'no-germany');
  const refused = await run('config', 'generate', 'main');
  expect(refused.code).toBe(7);
  expect(refused.stderr).toMatch(/no-germany: not there: DE 1 of home[^]*config generate main --draft/);
  expect((await run('config', 'validate', 'main')).stdout).toContain('✗ no-germany: not there: DE 1');
  await good('config', 'edit', 'main', '--port', '2090');
  expect(await good('config', 'generate', 'main', '--draft')).toMatch(
    /draft 2: 3 nodes\n! few: too few nodes: 3\n✗ no-germany: not there: DE 1/,
  );
  expect((await run('config', 'publish', 'main', '2')).code).toBe(7);
  expect((await run('config', 'deploy', 'main@2')).stderr).toContain('version 2 of main is a draft');
  await good('policy', 'disable', 'no-germany', '--remote');
  expect(await good('config', 'publish', 'main', '2')).toContain('published. Deploy it: sboxmgr config deploy main');

  expect(await good('config', 'tag', 'main', '2', 'stable', 'blue')).toContain('version 2: blue, stable');
  expect(await good('config', 'tag', 'main', 'stable', '--remove', 'blue')).toContain('version 2: stable');
  expect(await good('config', 'note', 'main', 'stable', 'asked', 'for')).toContain('version 2: asked for');
  expect(await good('config', 'versions', 'main')).toMatch(/2 +published +stable/);
  expect(await good('config', 'export', 'main@stable')).toContain('2090');
  expect(await good('config', 'diff', 'main', 'stable')).toContain('inbound in: listen_port');
  expect(await good('explain', 'config', 'main', '--dest', 'example.com:443', '--version', 'stable')).toContain(
    'main, version 2',
  );
  expect((await run('config', 'deploy', 'main@none')).stderr).toContain('main has no version that is tagged none');
  expect((await run('config', 'version', 'main', '-7')).code).toBe(2);
  await good('config', 'edit', 'main', '--port', '2091');
  await good('config', 'generate', 'main', '--draft');
  expect(await good('config', 'discard', 'main', '3')).toContain('draft 3 was deleted');
  await good('policy', 'remove', 'no-germany');
  expect((await run('policy', 'show', 'no-germany')).code).toBe(3);
});

test('expressions work without a manager, over the config that the nodes give', async () => {
  using host = openTestHost();
  writeFileSync(path.join(host.dir, 'nodes.txt'), nodes);
  const policies = [
    { name: 'port', verdict: 'deny', reason: 'too low', expression: 'config.inbounds.all(i, i.listen_port > 3000)' },
    { name: 'broken', verdict: 'warn', reason: 'x', expression: 'config.nothing == 1' },
  ];
  writeFileSync(path.join(host.dir, 'sbox-policies.json'), JSON.stringify({ version: 1, policies }));
  const found = await host.run(['policy', 'test', 'nodes.txt', '-o', 'json']);
  expect([found.code, JSON.parse(found.stdout)]).toMatchObject([
    7,
    [
      { policy: 'port', path: 'inbounds[0]', tag: 'in' },
      { policy: 'broken', problem: { code: 'policy.failed' } },
    ],
  ]);
  expect((await host.run(['policy', 'list'])).stdout).toMatch(/open-inbound +no +deny/);
  const generated = await host.run(['generate', '--from', 'nodes.txt', '--policies', '--no-check', '-f', 'out.json']);
  expect([generated.code, generated.stderr]).toEqual([7, expect.stringContaining('inbounds[0] (in): too low (port)')]);
  const higher = ['generate', '--from', 'nodes.txt', '--policies', '--no-check', '--port', '3001', '-f', 'out.json'];
  expect((await host.run(higher)).code).toBe(0);
});
