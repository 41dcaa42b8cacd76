import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openManaged, type Managed } from './managed.ts';
import { openTestHost, type Ran, type TestHost } from './test-host.ts';

interface Home {
  readonly dir: string;
  run(words: readonly string[], more?: Readonly<Record<string, string>>, input?: string): Promise<Ran>;
}

/** A user of their own: nothing of the machine, no variables but those of the test. */
function openHome(host: TestHost, name = 'home'): Home {
  const dir = path.join(host.dir, name);
  mkdirSync(dir, { recursive: true });
  return {
    dir,
    run: async (words, more = {}, input = '') =>
      await host.run(words, { cwd: dir, env: { HOME: dir, USER: 'anna', ...more }, input }),
  };
}

const tokenOf = (manager: Managed): string => path.join(manager.host.dir, 'data/admin-token');

/** Something that is no manager and remembers what it was sent. */
async function openStranger(): Promise<AsyncDisposable & { readonly url: string; readonly heard: IncomingMessage[] }> {
  const heard: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    heard.push(request);
    response
      .writeHead(401, { 'content-type': 'application/problem+json' })
      .end('{"code":"auth.missing","detail":"who?"}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    heard,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

test('named managers: added, used, shown, removed', async () => {
  await using one = await openManaged();
  await using two = await openManaged();
  const { run, dir } = openHome(one.host);
  await two.run('subscription', 'add', 'second', 'http://127.0.0.1:9/sub');
  expect((await run(['context', 'list'])).stderr).toContain('No contexts yet');
  expect(await run(['context', 'add', 'first', one.url, '--token-file', tokenOf(one)])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(`first is ${one.url}, and is used from now on`) as unknown,
  });
  expect(await run(['context', 'add', 'second', two.url, '--token-file', tokenOf(two)])).toMatchObject({ code: 0 });
  const file = path.join(dir, '.config/sbox/contexts.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain('sbox_');
  expect((await run(['subscription', 'list', '-o', 'name'])).stdout).toBe('');
  expect((await run(['subscription', 'list', '-o', 'name', '--context', 'second'])).stdout).toBe('second\n');
  // What works without a manager asks the one of the context too.
  expect((await run(['template', 'list', '--context', 'second'])).stdout).toMatch(/^NAME +PROJECT/);
  expect((await run(['policy', 'list'])).stdout).toMatch(/^NAME .*CONFIGS/);
  expect((await run(['context', 'use', 'second'])).code).toBe(0);
  expect((await run(['subscription', 'list', '-o', 'name'])).stdout).toBe('second\n');
  expect((await run(['context', 'show'])).stdout).toBe(
    `${two.url}, context "second" from the user file\n  token: ${tokenOf(two)}\n`,
  );
  const listed = (await run(['context', 'list'])).stdout.split('\n');
  expect(listed[0]).toMatch(/^NAME +CURRENT +MANAGER +TOKEN$/);
  expect(listed[2]).toMatch(/^second +\* /);
  expect((await run(['context', 'add', 'first', two.url])).code).toBe(5);
  expect((await run(['context', 'add', 'no name', two.url])).code).toBe(2);
  expect((await run(['context', 'add', 'third', `${two.url}/sub`])).code).toBe(2);
  expect((await run(['context', 'use', 'third'])).stderr).toContain(
    '"third", named by the command; there are first, second',
  );
  expect((await run(['context', 'remove', 'second'])).stderr).toContain('no context is used now');
  expect((await run(['context', 'list', '-o', 'name'])).stdout).toBe('first\n');
});

test('options go before variables, these before the file of the project, that before the file of the user', async () => {
  await using manager = await openManaged();
  const { run, dir } = openHome(manager.host);
  for (const name of ['of-user', 'of-project', 'of-variable', 'of-option'])
    await run(['context', 'add', name, `http://${name}.test:1`]);
  const shown = async (words: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
    JSON.parse((await run(['context', 'show', '--json', ...words], env)).stdout) as {
      manager: string;
      named_by: string;
    };
  expect(await shown()).toMatchObject({ named_by: 'context "of-user" from the user file' });
  writeFileSync(path.join(dir, 'sboxmgr.yaml'), 'context: of-project\n');
  expect(await shown()).toMatchObject({
    manager: 'http://of-project.test:1',
    named_by: 'context "of-project" from ./sboxmgr.yaml',
  });
  const env = { SBOXMGR_CONTEXT: 'of-variable' };
  expect(await shown([], env)).toMatchObject({ named_by: 'context "of-variable" from SBOXMGR_CONTEXT' });
  expect(await shown(['--context', 'of-option'], env)).toMatchObject({
    named_by: 'context "of-option" from the options',
  });
  expect(await shown(['--manager', 'http://typed.test:1'], env)).toMatchObject({ manager: 'http://typed.test:1' });
  expect(await shown([], { SBOXMGR_URL: 'http://variable.test:1' })).toMatchObject({ named_by: 'SBOXMGR_URL' });
  expect((await run(['status', '--context', 'a', '--manager', 'http://b.test'])).code).toBe(2);
  expect((await run(['status'], { ...env, SBOXMGR_URL: 'http://b.test' })).code).toBe(2);
  const unknown = await run(['status'], { SBOXMGR_CONTEXT: 'nobody' });
  expect(unknown).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('"nobody", named by SBOXMGR_CONTEXT') as unknown,
  });
  for (const wrong of ['token: x\n', 'context: [a]\n', 'manager: http://a.test\ncontext: of-user\n', '- a\n']) {
    writeFileSync(path.join(dir, 'sboxmgr.yaml'), wrong);
    expect(await run(['status'])).toMatchObject({ code: 2 });
  }
});

test('errors name the context', async () => {
  await using manager = await openManaged();
  const { run } = openHome(manager.host);
  await run(['context', 'add', 'local', 'http://127.0.0.1:9']);
  expect((await run(['status'])).stderr).toContain(
    'error: cannot reach manager at http://127.0.0.1:9, context "local" from the user file (ECONNREFUSED)\n',
  );
  await run(['context', 'add', 'real', manager.url]);
  expect(await run(['status', '--context', 'real'])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('(context "real" from the options)') as unknown,
  });
});

test('a login makes a context, or is for one', async () => {
  await using manager = await openManaged();
  const { run } = openHome(manager.host);
  const password = 'quite a long password';
  writeFileSync(path.join(manager.host.dir, 'anna.password'), password);
  await manager.run(
    'user',
    'create',
    'anna',
    '--role',
    'admin',
    '--password-file',
    path.join(manager.host.dir, 'anna.password'),
  );
  const url = ['--manager', manager.url];
  expect((await run(['login', '--as-context', 'not a name', ...url], {}, password)).code).toBe(2);
  expect(await run(['login', '--as-context', 'office', ...url], {}, password)).toMatchObject({ code: 0 });
  expect((await run(['whoami'])).stdout).toMatch(/^anna /);
  expect((await run(['context', 'list'])).stdout).toMatch(/office +\* +http\S+ +login of anna/);
  expect((await run(['login', '--as-context', 'office', ...url], {}, password)).code).toBe(5);
  await run(['logout']);
  expect((await run(['whoami'])).code).toBe(4);
  expect((await run(['login', '--context', 'office'], {}, password)).code).toBe(0);
  expect((await run(['whoami'])).code).toBe(0);
});

test('a token is never sent to another manager than its own', async () => {
  await using manager = await openManaged();
  await using stranger = await openStranger();
  const { run, dir } = openHome(manager.host);
  const token = { SBOXMGR_TOKEN_FILE: tokenOf(manager) };
  await run(['context', 'add', 'mine', manager.url, '--token-file', tokenOf(manager), '--use']);
  await run(['context', 'add', 'other', stranger.url]);
  // Not the token of another context, of a variable that was meant for another, or of a directory.
  expect((await run(['status', '--context', 'other'])).code).toBe(4);
  expect((await run(['status', '--context', 'other'], token)).stderr).toContain(
    'SBOXMGR_TOKEN_FILE is not sent to context "other"',
  );
  writeFileSync(path.join(dir, 'sboxmgr.yaml'), `manager: ${stranger.url}\n`);
  mkdirSync(path.join(dir, '.sbox/manager'), { recursive: true });
  writeFileSync(path.join(dir, '.sbox/manager/admin-token'), 'sbox_svc_not-for-strangers');
  expect((await run(['status'])).code).toBe(4);
  expect(await run(['status'], token)).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('SBOXMGR_TOKEN_FILE is not sent to ./sboxmgr.yaml') as unknown,
  });
  expect(stranger.heard.length).toBeGreaterThan(0);
  expect(stranger.heard.map(({ headers }) => headers.authorization)).toEqual(stranger.heard.map(() => undefined));
  // What is typed for it is sent.
  expect((await run(['status', '--token-file', tokenOf(manager), '--manager', manager.url])).code).toBe(0);
  expect((await run(['status', '--manager', manager.url], token)).code).toBe(0);
});

test('a file of contexts that is damaged is said, and not written over', async () => {
  using host = openTestHost();
  const { run, dir } = openHome(host);
  const file = path.join(dir, '.config/sbox/contexts.json');
  mkdirSync(path.dirname(file), { recursive: true });
  for (const text of ['{', '{"contexts": {"a": {"manager": 1}}}', '{"contexts": [], "current": 3}']) {
    writeFileSync(file, text);
    expect(await run(['context', 'add', 'b', 'http://b.test'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Mend the file') as unknown,
    });
    expect(readFileSync(file, 'utf8')).toBe(text);
  }
});
