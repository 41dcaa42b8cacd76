import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { serving } from './serving.ts';
import { openTestHost, singBox, type TestHost } from './test-host.ts';

function openNodes(): TestHost {
  const host = openTestHost();
  writeFileSync(
    path.join(host.dir, 'nodes.txt'),
    'trojan://long-secret@192.0.2.1:443?sni=a.example#Amsterdam\nss://YWVzLTEyOC1nY206c2VjcmV0@192.0.2.2:8388#Oslo',
  );
  return host;
}
const configIn = (host: TestHost, file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(path.join(host.dir, file), 'utf8')) as Record<string, unknown>;

test('export writes what it wrote, keeps the old file, and names the new command', async () => {
  using host = openNodes();
  writeFileSync(path.join(host.dir, 'config.json'), 'old');
  const words =
    'export -u nodes.txt --backup --inbound-types socks,http --socks-port 1085 --socks-auth me:pw --http-port 1086';
  const { code, stderr } = await host.run([
    ...words.split(' '),
    '--exclude-outbounds',
    'trojan',
    '--dns-mode',
    'system',
  ]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toMatch(/^hint: this is now: sboxmgr generate -u nodes\.txt -f config\.json$/m);
  expect(readFileSync(path.join(host.dir, 'config.json.bak'), 'utf8')).toBe('old');
  expect(configIn(host, 'config.json')).toMatchObject({
    dns: { final: 'local' },
    inbounds: [
      { type: 'socks', listen_port: 1085, users: [{ username: 'me', password: 'pw' }] },
      { type: 'http', listen_port: 1086 },
    ],
    outbounds: [{ tag: 'select' }, { tag: 'auto' }, { tag: 'Oslo' }, { tag: 'direct' }],
  });
});

test('export with a network interface takes the template for it', async () => {
  using host = openNodes();
  const words =
    'export -u nodes.txt -o tun.json --inbound-types tun --tun-mtu 1400 --tun-address 172.20.0.1/30 --final-route direct';
  expect(await host.run(words.split(' '))).toMatchObject({ code: 0 });
  expect(configIn(host, 'tun.json')).toMatchObject({
    inbounds: [{ type: 'tun', mtu: 1400, address: ['172.20.0.1/30'] }],
    route: { final: 'direct' },
  });
});

test('export for Clash, dry runs, and what has no equal', async () => {
  using host = openNodes();
  const clash = await host.run(['export', '-u', 'nodes.txt', '--export-format', 'clash', '--output', '-']);
  expect(clash).toMatchObject({ code: 0, stdout: expect.stringMatching(/^proxies:\n/) });
  const dry = await host.run(['export', '-u', 'nodes.txt', '--validate-only', '--profile', 'x.toml']);
  expect(dry.stderr).toContain('--profile has no equal: sboxmgr import-config');
  expect(existsSync(path.join(host.dir, 'config.json'))).toBe(false);
  expect((await host.run(['export', '-u', 'nodes.txt', '--format', 'toml'])).code).toBe(2);
  expect((await host.run(['export', '-u', 'nodes.txt', '--dns-mode', 'off'])).code).toBe(2);
});

test('the subscription may stand in the environment, and that is said', async () => {
  using host = openNodes();
  const env = { SBOX_SING_BOX: singBox, SBOXMGR_URL: 'nodes.txt', SBOXMGR_LANG: 'fr' };
  const { code, stdout, stderr } = await host.run(['list-servers'], { env });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Amsterdam +trojan/m);
  expect(stderr).toContain('SBOXMGR_URL is taken for a subscription here');
  expect(stderr).toContain('SBOXMGR_LANG=fr: there is English and Russian only');
  expect((await host.run(['list-servers'])).code).toBe(2);
});

test('exclusions with the old flags', async () => {
  using host = openNodes();
  expect(await host.run(['exclusions', '-u', 'nodes.txt', '--add', 'Oslo,Amsterdam', '--reason', 'x'])).toMatchObject({
    code: 0,
  });
  const seen = await host.run(['exclusions', '--view', '--json']);
  expect(JSON.parse(seen.stdout)).toMatchObject({ exclusions: [{ tag: 'Oslo', kind: 'id' }, { tag: 'Amsterdam' }] });
  expect((await host.run(['exclusions', '--remove', 'Oslo'])).code).toBe(0);
  expect((await host.run(['exclusions', '--clear', '-y'])).code).toBe(0);
  expect((await host.run(['exclusions', '-i'])).code).toBe(2);
});

test('a list of the older program is read by the names in it', async () => {
  using host = openNodes();
  const old = { last_modified: 'x', exclusions: [{ id: '5ebe2294ecd0e0f0', name: 'Oslo', reason: 'slow' }] };
  writeFileSync(path.join(host.dir, 'old.json'), JSON.stringify(old));
  const env = { SBOXMGR_EXCLUSION_FILE: 'old.json' };
  expect((await host.run(['exclusion', 'test', 'nodes.txt', '-o', 'name'], { env })).stdout).toBe('Oslo\n');
});

test('a subscription in SBOXMGR_URL is never taken for a manager, so that no token goes there', async () => {
  using host = openNodes();
  let isAsked = false;
  await using provider = await serving((_, response) => {
    isAsked = true;
    response.end();
  });
  const env = { SBOXMGR_URL: `http://127.0.0.1:${provider.port}/sub?token=hidden` };
  const { code, stderr } = await host.run(['status'], { env });
  expect({ code, isAsked }).toEqual({ code: 2, isAsked: false });
  expect(stderr).toContain('sboxmgr inspect URL');
  expect(stderr).not.toContain('hidden');
});

const profile = `
id = "home"
[[subscriptions]]
id = "main"
url = "https://example.com/sub"
enabled = true
[[subscriptions]]
id = "off"
url = "https://example.org/sub"
enabled = false
[filters]
exclude_tags = ["slow+"]
exclusions = ["Bad one"]
[routing]
default_route = "tunnel"
by_source = true
[export]
inbound_types = ["socks", "http"]
output_file = "config.json"
[agent]
auto_restart = true
[ui]
default_language = "ru"
`;

test('import-config makes a recipe that is read again, and says what has no equal', async () => {
  using host = openNodes();
  writeFileSync(path.join(host.dir, 'profile.toml'), profile);
  const { code, stderr } = await host.run(['import-config', 'profile.toml', '-f', 'recipe.yaml']);
  expect(code).toBe(9);
  for (const lost of [
    'subscriptions[1]',
    'routing.by_source',
    'export.output_file',
    'agent.auto_restart',
    'ui.default_language',
  ])
    expect(stderr).toContain(`left out ${lost}: `);
  expect(stderr).not.toContain('default_route');
  const file = path.join(host.dir, 'recipe.yaml');
  const recipe = readFileSync(file, 'utf8');
  writeFileSync(file, recipe.replace('https://example.com/sub', './nodes.txt'));
  expect(recipe).toContain('slow\\+');
  expect(await host.run(['generate', '--recipe', 'recipe.yaml', '-f', 'config.json'])).toMatchObject({ code: 0 });
  expect(configIn(host, 'config.json')).toMatchObject({ inbounds: [{ type: 'socks' }, { type: 'http' }] });
  writeFileSync(path.join(host.dir, 'profile.toml'), 'a = [');
  expect(await host.run(['import-config', 'profile.toml'])).toMatchObject({
    code: 7,
    stderr: expect.stringContaining('not TOML'),
  });
});
