import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { serving } from './serving.ts';
import { openTestHost } from './test-host.ts';

const source = JSON.stringify({ version: 1, rules: [{ domain_suffix: ['blocked.example'] }] });

const recipe = (port: number): string =>
  JSON.stringify({
    subscriptions: [{ text: 'trojan://pw@192.0.2.1:443?sni=a.example#A', source: undefined }],
    patch: [
      {
        op: 'add',
        path: '/route/rule_set',
        value: [
          { type: 'remote', tag: 'blocked', format: 'source', url: `http://127.0.0.1:${port}/sets/blocked.json` },
        ],
      },
      { op: 'add', path: '/route/rules/-', value: { rule_set: 'blocked', action: 'reject' } },
    ],
    tests: [{ name: 'blocked', destination: 'a.blocked.example', expect: { rule: 'blocked', verdict: 'reject' } }],
  });

test('rule-sets are fetched beside the config, and the last copy serves while they cannot be had', async () => {
  using host = openTestHost();
  let content: string | undefined = source;
  await using server = await serving((_, response) => {
    if (content === undefined) response.writeHead(503).end();
    else response.end(content);
  });
  writeFileSync(path.join(host.dir, 'recipe.json'), recipe(server.port));
  const words = ['generate', '--recipe', 'recipe.json', '-f', 'config.json', '--rule-sets', 'sets'];

  const made = await host.run(words);
  expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('1 test passed') });
  const [file = ''] = readdirSync(path.join(host.dir, 'sets'));
  expect(file).toMatch(/^blocked-[0-9a-f]{8}\.json$/);
  const config = JSON.parse(readFileSync(path.join(host.dir, 'config.json'), 'utf8')) as {
    route: { rule_set: object[] };
  };
  expect(config.route.rule_set).toEqual([
    { type: 'local', tag: 'blocked', format: 'source', path: path.join(host.dir, 'sets', file) },
  ]);
  const asked = await host.run(['explain', 'dest', 'a.blocked.example', '--file', 'config.json', '-o', 'json']);
  expect(JSON.parse(asked.stdout)).toMatchObject({ verdict: 'reject', is_certain: true });

  content = undefined;
  const kept = await host.run(words);
  expect(kept).toMatchObject({ code: 0, stderr: expect.stringContaining('its last copy is used') });
  content = '<html>no</html>';
  expect(await host.run(words)).toMatchObject({ code: 0 });
  expect(await host.run([...words, '--rule-sets', 'elsewhere'])).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('blocked'),
  });
});
