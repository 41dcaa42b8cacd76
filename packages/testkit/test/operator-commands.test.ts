import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { commands, runProgram } from '@sbox/cli';
import { systemClock } from '@sbox/core';
import { settingsSchema, startManager } from '@sbox/manager';
import * as z from 'zod/mini';
import { openTestDirectory, pinnedSingBox } from '../src/index.ts';

const links = [
  'trojan://secret-one@192.0.2.1:443?sni=a.example#Amsterdam',
  'ss://YWVzLTEyOC1nY206c2VjcmV0@192.0.2.2:8388#Oslo',
].join('\n');

/** A manager, and sboxmgr against it, both in this process. */
async function openConsole() {
  await using opening = new AsyncDisposableStack();
  const dir = opening.use(openTestDirectory('commands'));
  const settings = z.parse(settingsSchema, {
    data_dir: dir.file('manager'),
    listen: [{ address: '127.0.0.1:0' }],
    engine: { path: pinnedSingBox() },
  });
  const manager = opening.use(await startManager(settings));
  writeFileSync(dir.file('nodes.txt'), links);
  const opened = opening.move();
  return {
    dir,
    async run(...words: string[]) {
      const printed = { stdout: '', stderr: '' };
      const code = await runProgram(commands, words, {
        env: { SBOXMGR_URL: manager.url, SBOXMGR_TOKEN_FILE: manager.adminTokenFile },
        cwd: dir.path,
        node: { path: process.execPath, version: process.versions.node },
        clock: systemClock,
        isTerminal: false,
        signal: new AbortController().signal,
        stdout: (text) => (printed.stdout += text),
        stderr: (text) => (printed.stderr += text),
        stdin: async () => await Promise.resolve(Buffer.from('{"ttl":"5m"}')),
      });
      return { code, ...printed };
    },
    /** A command that has to work; what it printed as data. */
    async ok(...words: string[]): Promise<string> {
      const { code, stdout, stderr } = await this.run(...words);
      if (code !== 0) throw new Error(`${words.join(' ')}: ${code}\n${stderr}`);
      return stdout;
    },
    [Symbol.asyncDispose]: async () => await opened.disposeAsync(),
  };
}

test('subscriptions: added, shown, changed, pinned, deleted', async () => {
  await using console = await openConsole();
  expect((await console.run('subscription', 'list')).stderr).toContain('No subscriptions yet');
  expect(await console.ok('subscription', 'add', 'home', 'nodes.txt')).toBe('home: version 1, 2 nodes, 0 rejected\n');
  expect(await console.ok('subscription', 'list')).toMatch(/^NAME +NODES.*\nhome +2 +0 +1 /);
  expect(await console.ok('subscription', 'nodes', 'home')).toMatch(/Amsterdam +trojan +192\.0\.2\.1:443/);
  expect(await console.ok('subscription', 'nodes', 'home', '-o', 'json')).not.toContain('secret-one');
  expect(await console.ok('subscription', 'nodes', 'home', '--reveal', '-o', 'json')).toContain('secret-one');
  expect(await console.ok('subscription', 'show', 'home')).toContain('name: home');

  writeFileSync(console.dir.file('more.txt'), `${links}\ntrojan://secret-two@192.0.2.3:443#Paris`);
  expect(await console.ok('subscription', 'edit', 'home', '--source', 'more.txt', '--min-share', '0.2')).toContain(
    'home',
  );
  await console.ok('subscription', 'fetch', 'home');
  expect(await console.ok('subscription', 'versions', 'home', '-o', 'name')).toBe('2\n1\n');
  expect(await console.ok('subscription', 'diff', 'home', '2')).toBe('+ Paris (trojan)\n2 unchanged\n');
  expect(await console.ok('subscription', 'fetches', 'home')).toMatch(/changed/);
  expect(await console.ok('subscription', 'pin', 'home', '1')).toBe('home is pinned to version 1\n');
  expect(await console.ok('subscription', 'list')).toContain('1 (pinned)');
  expect(await console.ok('subscription', 'pin', 'home', 'newest')).toBe('home follows the newest version\n');
  expect(await console.ok('subscription', 'preview', 'nodes.txt')).toContain('Oslo');

  expect((await console.run('subscription', 'edit', 'home')).code).toBe(2);
  expect((await console.run('subscription', 'add', 'home', 'nodes.txt')).code).toBe(5);
  expect((await console.run('subscription', 'show', 'nobody')).code).toBe(3);
  await console.ok('subscription', 'remove', 'home');
  expect(await console.ok('subscription', 'list', '-o', 'json')).toBe('[]\n');
});

test('configs: made, versioned, compared, rolled back, exported', async () => {
  await using console = await openConsole();
  await console.ok('subscription', 'add', 'home', 'nodes.txt');
  expect((await console.run('config', 'create', 'main')).code).toBe(2);
  expect(await console.ok('config', 'create', 'main', '--subscription', 'home', '--port', '1080')).toBe(
    'main: version 1\n',
  );
  expect(await console.ok('config', 'validate', 'main')).toMatch(/✔ check of the engine\n2 nodes, valid/);
  expect(await console.ok('config', 'generate', 'main')).toMatch(/^nothing changed, it is still version 1/);
  await console.ok('config', 'edit', 'main', '--port', '1090', '--watch', '5s', '--auto-deploy');
  expect(await console.ok('config', 'generate', 'main', '-m', 'other port')).toBe('version 2: 2 nodes\n');
  expect(await console.ok('config', 'show', 'main')).toMatch(/auto_deploy: true/);
  const diff = await console.run('config', 'diff', 'main', '2', '--text', '--exit-code');
  expect(diff.code).toBe(20);
  expect(diff.stdout).toMatch(/-.*1080\n\+.*1090/);
  expect(diff.stdout).not.toContain('secret-one');
  expect(await console.ok('config', 'rollback', 'main', '1', '--no-deploy')).toBe('version 3: 2 nodes\n');
  expect(await console.ok('config', 'versions', 'main')).toMatch(/^VERSION.*\n3 +published +2 .* admin +1\n/);
  expect(await console.ok('config', 'version', 'main', '3')).toMatch(/^version: 3\n[^]*^rollback_of: 1\n/m);
  const exported = JSON.parse(await console.ok('config', 'export', 'main')) as { inbounds: { listen_port: number }[] };
  expect(exported.inbounds[0]?.listen_port).toBe(1080);

  expect(await console.ok('config', 'list')).toMatch(/main +default +3 +0 +home +true/);
  expect((await console.run('subscription', 'remove', 'home')).stderr).toMatch(
    /config.*uses this subscription|in use/i,
  );
  const nowhere = await console.run('config', 'deploy', 'main');
  expect(nowhere.code).toBe(5);
  expect(nowhere.stderr).toContain('no server has joined yet');
  await console.ok('config', 'remove', 'main');
});

test('servers, tokens, events: what an operator does on the first day', async () => {
  await using console = await openConsole();
  expect((await console.run('server', 'list')).stderr).toContain('sboxmgr server token');
  expect(await console.ok('server', 'token', '--name', 'ams-1')).toMatch(/^sbox_join_/);
  await console.ok('server', 'token', '-f', 'token');
  expect(statSync(console.dir.file('token')).mode & 0o777).toBe(0o600);
  const [id = ''] = (await console.ok('server', 'tokens', '-o', 'name')).split('\n');
  await console.ok('server', 'withdraw', id);
  expect((await console.ok('server', 'tokens', '-o', 'name')).trim().split('\n')).toHaveLength(1);

  await console.ok('subscription', 'add', 'home', 'nodes.txt');
  await console.ok('config', 'create', 'main', '--subscription', 'home');
  expect(await console.ok('server', 'add', 'island', '--offline')).toMatch(
    /sboxagent import island\.sbox\.tar --pin sha256:[0-9a-f]{64}/,
  );
  expect(await console.ok('config', 'deploy', 'main', '--server', 'island')).toMatch(/version 1: succeeded/);
  await console.ok('server', 'bundle', 'island');
  expect(readFileSync(console.dir.file('island.sbox.tar')).includes('bundle.json')).toBe(true);
  expect(await console.ok('server', 'show', 'island')).toMatch(/^server +island /);
  expect(await console.ok('deployment', 'list')).toMatch(/succeeded/);
  const [deployment = ''] = (await console.ok('deployment', 'list', '-o', 'name')).split('\n');
  expect(await console.ok('deployment', 'show', deployment)).toContain('island');

  expect(await console.ok('event', 'list', '--type', 'deployment.')).toMatch(/deployment\.succeeded/);
  expect(await console.ok('status')).toMatch(/configs: 1/);
  expect(await console.ok('health')).toMatch(/^✔ /);
  expect(await console.ok('api', 'get', '/api/v1/status')).toContain('"version"');
  expect(await console.ok('api', 'post', '/api/v1/join-tokens')).toContain('sbox_join_');
  expect((await console.run('api', 'get', '/api/v1/nothing')).code).toBe(3);
  expect((await console.run('api', 'bogus', '/')).code).toBe(2);
  expect(await console.ok('settings', 'explain', 'fetch.timeout')).toBe('fetch.timeout = "30s"   (default: default)\n');
  expect((await console.run('settings', 'explain', 'nope')).stderr).toMatch(
    /cause: nope is no setting\nfix: {3}One of: data_dir, /,
  );
  expect(await console.ok('server', 'list')).toMatch(
    /^SERVER +STATE +ENVIRONMENT +LABELS +ENGINE +RUNS +WANTED +IN SYNC.*\nisland .* - +main@1 +no/,
  );

  const token = (await console.ok('token', 'create', 'reader', '--permission', 'status:read')).trim();
  writeFileSync(path.join(console.dir.path, 'reader'), token);
  await console.ok('status', '--token-file', 'reader');
  const denied = await console.run('server', 'list', '--token-file', 'reader', '-o', 'json');
  expect(denied.code).toBe(4);
  expect(JSON.parse(denied.stderr)).toMatchObject({
    error: { code: 'auth.forbidden', details: { permission: 'servers:read' } },
  });
  const tokens = JSON.parse(await console.ok('token', 'list', '-o', 'json')) as { id: string; name: string }[];
  await console.ok('token', 'revoke', tokens.find(({ name }) => name === 'reader')?.id ?? '');
  expect((await console.run('status', '--token-file', 'reader')).code).toBe(4);
  await console.ok('server', 'remove', 'island');
});
