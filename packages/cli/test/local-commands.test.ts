import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { serving as servingAt } from './serving.ts';
import { openTestHost, singBox } from './test-host.ts';

const links = [
  'trojan://long-secret@192.0.2.1:443?sni=a.example#Amsterdam',
  'ss://YWVzLTEyOC1nY206c2VjcmV0@192.0.2.2:8388#Oslo',
  'vless://not a port:at all',
].join('\n');

async function serving(listener: RequestListener) {
  const server = await servingAt(listener);
  return {
    url: `http://127.0.0.1:${server.port}/sub?token=hidden`,
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

test('inspect prints nodes for people and the whole answer for programs', async () => {
  using host = openTestHost();
  const table = await host.run(['inspect', '-'], { input: links });
  expect(table.code).toBe(0);
  expect(table.stdout).toMatch(/^TAG +TYPE +SERVER/);
  expect(table.stdout).toMatch(/Amsterdam +trojan +192\.0\.2\.1:443 +a\.example/);
  expect(table.stdout).not.toContain('long-secret');
  expect(table.stderr).toContain('links, 2 nodes: trojan 1, shadowsocks 1   (1 rejected)');

  const json = JSON.parse((await host.run(['inspect', '-', '-o', 'json'], { input: links })).stdout) as {
    format: string;
    nodes: { id: string; tag: string; server_port: number }[];
    rejected: { line: number; code: string; reason: string }[];
  };
  expect(json.format).toBe('links');
  expect(json.nodes.map(({ tag, server_port }) => [tag, server_port])).toEqual([
    ['Amsterdam', 443],
    ['Oslo', 8388],
  ]);
  expect(json.rejected).toMatchObject([{ line: 3, code: expect.stringMatching(/^node\./) }]);
});

test('inspect -o json answers with every reason when no line is usable', async () => {
  using host = openTestHost();
  const { code, stdout } = await host.run(['inspect', '-', '-o', 'json'], { input: 'trojan://@:0\n' });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ nodes: [], rejected: [{ line: 1 }] });
});

test('inspect -o json answers with the problem of a document that is no subscription', async () => {
  using host = openTestHost();
  const { code, stdout, stderr } = await host.run(['inspect', '-', '-o', 'json'], { input: '<html>no</html>' });
  expect(code).toBe(7);
  expect(JSON.parse(stdout)).toMatchObject({ nodes: [], rejected: [{ line: 1, code: 'subscription.html' }] });
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'subscription.html' } });
});

test('inspect -o json shows what sing-box makes of the nodes, and ShadowTLS as the plugin that others know', async () => {
  using host = openTestHost();
  const proxy = {
    name: 'Hidden',
    type: 'ss',
    server: 'a.example',
    port: 443,
    cipher: 'aes-128-gcm',
    password: 'x',
    plugin: 'shadow-tls',
    'plugin-opts': {
      host: 'b.example',
      password: 'y',
      version: 3,
    },
  };
  const { stdout } = await host.run(['inspect', '-', '-o', 'json'], { input: JSON.stringify({ proxies: [proxy] }) });
  expect(JSON.parse(stdout)).toMatchObject({
    nodes: [{ tag: 'Hidden', plugin: 'shadow-tls', plugin_opts: { host: 'b.example', password: 'y', version: 3 } }],
    singbox: { outbounds: [{ type: 'shadowsocks' }, { type: 'shadowtls', server: 'a.example' }], left_out: [] },
  });
});

test.each([
  [
    'a web page',
    '<!DOCTYPE html><html>',
    7,
    /^error: subscription returned HTML, not a subscription\ncause: standard input, starts "<!DOCTYPE html/,
  ],
  ['nothing', '', 7, /^error: the subscription is empty\ncause: standard input, no bytes/],
  ['noise', '{"a":', 7, /^error: /],
])('inspect of %s says what, why and what to do', async (_, input, exit, message) => {
  using host = openTestHost();
  const { code, stdout, stderr } = await host.run(['inspect', '-'], { input });
  expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/\nfix: {3}\S/);
});

test('inspect of a link for clients to import reads what is behind its address', async () => {
  using host = openTestHost();
  await using provider = await serving((_, response) => response.end(links));
  const { code, stdout } = await host.run([
    'inspect',
    `clash://install-config?url=${encodeURIComponent(provider.url)}`,
  ]);
  expect(code).toBe(0);
  expect(stdout).toContain('Amsterdam');
});

test('inspect of a URL: the answer is named, the secret path is not', async () => {
  using host = openTestHost();
  await using html = await serving((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html; charset=x' }).end('<html>no</html>'),
  );
  const page = await host.run(['inspect', html.url]);
  expect(page.code).toBe(7);
  expect(page.stderr).toContain('→ 200 text/html, starts "<html>no</html>"');
  expect(page.stderr).not.toContain('hidden');

  await using broken = await serving((_, response) => response.writeHead(500).end('sorry'));
  expect((await host.run(['inspect', broken.url])).code).toBe(6);

  await using good = await serving((request, response) =>
    response.end(request.headers['user-agent'] === 'clash.meta' ? links : ''),
  );
  expect((await host.run(['inspect', good.url, '--user-agent', 'clash.meta', '-o', 'name'])).stdout).toBe(
    'Amsterdam\nOslo\n',
  );
});

test('generate writes a config that the engine accepts, and says what it left out', async () => {
  using host = openTestHost();
  writeFileSync(
    path.join(host.dir, 'nodes.txt'),
    `${links}\nvless://b831381d-6324-4d53-ad4f-8cda48b30811@192.0.2.3:443?security=reality&pbk=Z84J2IelR9ch3k8VtlVhhs5ycBUlXA7wHBWcBrjqnAw&sni=a.example#Berlin`,
  );
  const { code, stderr } = await host.run(['generate', '--from', 'nodes.txt', '-f', 'config.json', '--port', '1080']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toMatch(/left out Berlin: .*with_utls/);
  expect(stderr).toContain('sing-box check ok');
  const file = path.join(host.dir, 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as { inbounds: { listen_port: number }[] };
  expect(config.inbounds[0]?.listen_port).toBe(1080);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('generate with no node left says why, and what helps here', async () => {
  using host = openTestHost();
  const dropped = await host.run(['generate', '-u', '-', '--filter', 'country == BR'], { input: links });
  expect(dropped).toMatchObject({
    code: 7,
    stderr: expect.stringMatching(/the pipeline dropped all of \d+ nodes\nfix: .*--explain/),
  });
  const unable = await host.run(['generate', '-u', '-', '--engine-version', '1.14.4'], {
    input: 'juicity://b831381d-6324-4d53-ad4f-8cda48b30811:pw@[2001:db8::1]:443?sni=a.example#Juice',
  });
  expect(unable).toMatchObject({ code: 7, stderr: expect.stringContaining('left out Juice: ') });
});

test('generate for an engine that is not here', async () => {
  using host = openTestHost();
  const { code, stdout } = await host.run(
    ['generate', '-u', '-', '--engine-version', '1.13.0', '--tags', 'with_quic'],
    { input: links },
  );
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toHaveProperty('outbounds');
  const old = await host.run(['generate', '-u', '-', '--engine-version', '1.9.0'], { input: links });
  expect(old.code).toBe(7);
  expect((await host.run(['generate', '-u', '-', '--engine-version', 'abc'], { input: links })).code).toBe(2);
  const future = await host.run(['generate', '-u', '-', '--engine-version', '1.99'], { input: links });
  expect(future.stderr).toContain('newer than what is known here');
  expect(old.stderr).toMatch(/^error: the engine is too old\ncause: .*\nfix: {3}upgrade the engine to 1\.11/m);
});

test('check finds what the engine misses', async () => {
  using host = openTestHost();
  const file = path.join(host.dir, 'c.json');
  writeFileSync(file, JSON.stringify({ outbounds: [{ type: 'selector', tag: 's', outbounds: ['nobody'] }] }));
  const { code, stdout } = await host.run(['check', 'c.json', '--engine', singBox]);
  expect(code).toBe(7);
  expect(stdout).toMatch(/^✗ outbounds\[0\].*nobody/m);
  expect(stdout).toMatch(/^✔ sing-box 1\./m);
  expect((await host.run(['check', 'missing.json'])).code).toBe(3);
});

test('wrong commands: exit 2, and a way out', async () => {
  using host = openTestHost();
  const typo = await host.run(['inspekt']);
  expect(typo.code).toBe(2);
  expect(typo.stderr).toMatch(/cause: unknown command 'inspekt' \(Did you mean inspect\?\)\nfix: {3}sboxmgr --help/);
  expect((await host.run(['inspect'])).code).toBe(2);
  expect((await host.run(['inspect', '-', '-o', 'xml'])).stderr).toContain(
    'xml is not one of table, wide, json, yaml, name',
  );
  expect(JSON.parse((await host.run(['generate', '--json'])).stderr)).toMatchObject({
    error: { code: 'command.usage' },
  });
});

test('explain tells about codes, and near ones', async () => {
  using host = openTestHost();
  expect((await host.run(['explain', 'engine.not-found'])).stdout).toMatch(
    /^engine\.not-found: No engine was found\nfix: /,
  );
  expect((await host.run(['explain', 'engine.lost'])).stderr).toContain('engine.too-old');
});

test('a manager that is not there', async () => {
  using host = openTestHost();
  const { code, stderr } = await host.run(['server', 'list', '--manager', 'http://127.0.0.1:9']);
  expect(code).toBe(6);
  expect(stderr).toMatch(
    /^error: cannot reach manager at http:\/\/127\.0\.0\.1:9 \(ECONNREFUSED\)\ncause: 3 tries in /,
  );
  expect((await host.run(['status', '--manager', 'ftp://x'])).code).toBe(2);
  const empty = await host.run(['status'], { env: { SBOXMGR_URL: '' } });
  expect(empty).toMatchObject({ code: 2, stderr: expect.stringContaining('the address of the manager is empty') });
  expect((await host.run(['status', '--token-file', 'nowhere'])).code).toBe(3);
});
