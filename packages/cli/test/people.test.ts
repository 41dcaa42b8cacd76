import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openManaged } from './managed.ts';

test('a second operator: made, logged in, held to the role, given a token, and let out', async () => {
  await using manager = await openManaged();
  const { host, run } = manager;
  const home = path.join(host.dir, 'home');
  mkdirSync(home);
  const env = { SBOXMGR_URL: manager.url, HOME: home, USER: 'anna' };
  const asAnna = async (words: readonly string[], input = '') => await host.run(words, { env, input });
  writeFileSync(path.join(host.dir, 'anna.password'), 'quite a long password\n');

  expect(await run('user', 'list')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('No users yet') as unknown,
  });
  const made = await run('user', 'create', 'anna', '--role', 'operator', '--password-file', 'anna.password');
  expect(made).toEqual({ code: 0, stdout: 'anna: operator, open\n', stderr: '' });
  expect((await run('user', 'create', 'bert', '--role', 'boss', '--generate')).code).toBe(2);
  expect((await run('user', 'create', 'bert', '--role', 'viewer', '--generate')).stdout).toMatch(/^\w{20}\n$/);

  expect((await asAnna(['whoami'])).code).toBe(4);
  expect((await asAnna(['login'], 'not the password')).code).toBe(4);
  const login = await asAnna(['login'], 'quite a long password\n');
  expect(login).toMatchObject({ code: 0, stdout: '' });
  const kept = path.join(home, '.config/sbox/logins.json');
  expect(statSync(kept).mode & 0o777).toBe(0o600);
  expect(login.stdout + login.stderr).not.toContain('sbox_pat_');
  expect((await asAnna(['whoami'])).stdout).toContain('configs:write');
  expect((await asAnna(['user', 'list'])).code).toBe(4);
  expect((await asAnna(['config', 'list'])).code).toBe(0);
  // The login is for this address alone.
  expect(Object.keys(JSON.parse(readFileSync(kept, 'utf8')) as object)).toEqual([manager.url]);

  const shown = await run('user', 'show', 'anna', '-o', 'json');
  expect(JSON.parse(shown.stdout)).toMatchObject({ name: 'anna', role: 'operator' });
  expect((await run('user', 'edit', 'anna', '--role', 'deployer', '--display-name', 'Anna')).stdout).toContain(
    'deployer',
  );
  expect((await asAnna(['logout'])).stderr).toContain('anna is logged out');
  expect((await asAnna(['whoami'])).code).toBe(4);
  expect((await run('user', 'edit', 'anna', '--disable')).stdout).toContain('disabled');
  expect((await asAnna(['login'], 'quite a long password')).code).toBe(4);
  expect((await run('user', 'remove', 'anna')).code).toBe(0);
  expect((await run('user', 'list', '-o', 'name')).stdout).toBe('bert\n');
  expect((await run('role', 'list', '-o', 'name')).stdout).toBe('viewer\noperator\ndeployer\nsecadmin\nadmin\n');
});

test('tokens of a role, in a file, with their last use', async () => {
  await using manager = await openManaged();
  const { host, run } = manager;
  expect((await run('token', 'create', 'both', '--role', 'viewer', '--permission', 'status:read')).code).toBe(2);
  expect((await run('token', 'create', 'none')).code).toBe(2);
  const made = await run('token', 'create', 'ci', '--role', 'deployer', '--ttl', '30d', '--file', 'ci.token');
  expect(made).toMatchObject({ code: 0, stdout: '' });
  const env = { SBOXMGR_URL: manager.url, SBOXMGR_TOKEN_FILE: 'ci.token' };
  expect((await host.run(['whoami'], { env })).stdout).toContain('configs:deploy');
  expect((await host.run(['token', 'list'], { env })).code).toBe(4);
  expect((await run('token', 'list')).stdout).toMatch(/ OF +BY .*\n\S+ +ci +deployer +- +- +admin /);
  const [row] = JSON.parse((await run('token', 'list', '-o', 'json')).stdout) as { id: string; last_used_at: string }[];
  expect(row?.last_used_at).toEqual(expect.any(String));
  expect((await run('token', 'revoke', row?.id ?? '')).code).toBe(0);
  expect((await host.run(['whoami'], { env })).code).toBe(4);
});

test('rescue needs the data and nothing else', async () => {
  await using manager = await openManaged();
  const { host, run } = manager;
  await run('user', 'create', 'anna', '--role', 'admin', '--generate');
  const env = { HOME: host.dir };
  const rescued = await host.run(['rescue', 'password', 'anna', '--data', 'data'], {
    env,
    input: 'quite a long password',
  });
  expect(rescued).toMatchObject({ code: 0, stdout: '' });
  const login = ['login', '--name', 'anna', '--manager', manager.url];
  expect((await host.run(login, { env, input: 'quite a long password' })).code).toBe(0);
  expect((await host.run(['rescue', 'unlock', 'anna', '--data', 'data'], { env })).code).toBe(0);
  const token = await host.run(['rescue', 'token', '--data', 'data'], { env });
  expect(token.stdout).toMatch(/^sbox_svc_\S+\n$/);
  expect((await host.run(['rescue', 'token', '--data', 'nothing-there'], { env })).code).toBe(3);
});
