import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openManaged } from './managed.ts';

test('a second operator, held to a project and to labels by a token', async () => {
  await using manager = await openManaged();
  const { host, run } = manager;
  for (const [index, project] of ['acme', 'beta'].entries()) {
    const node = `trojan://example-password@192.0.2.${index + 1}:443#One\n`;
    writeFileSync(path.join(host.dir, `${project}.txt`), node);
    await run('subscription', 'add', `${project}-nodes`, `./${project}.txt`, '--project', project);
    await run('config', 'create', `${project}-main`, '--subscription', `${project}-nodes`, '--project', project);
    await run('server', 'add', `${project}-1`, '--label', `customer=${project}`);
  }
  expect((await run('config', 'list', '--project', 'beta', '-o', 'name')).stdout).toBe('beta-main\n');
  expect((await run('config', 'list')).stdout).toMatch(/acme-main +acme /);
  expect((await run('subscription', 'list', '--project', 'acme', '-o', 'name')).stdout).toBe('acme-nodes\n');
  expect(await run('config', 'edit', 'acme-main', '--subscription', 'beta-nodes')).toMatchObject({ code: 5 });

  const bounds = ['--project', 'acme', '--servers', 'customer=acme'];
  const made = await run('token', 'create', 'acme', '--role', 'operator', ...bounds, '--file', 'acme.token');
  expect(made.code).toBe(0);
  expect((await run('token', 'list')).stdout).toContain('projects acme; servers customer=acme');
  const env = { SBOXMGR_URL: manager.url, SBOXMGR_TOKEN_FILE: 'acme.token' };
  const held = async (...words: readonly string[]) => await host.run(words, { env });
  expect((await held('whoami')).stdout).toContain('held to projects acme; servers customer=acme\n');
  expect((await held('config', 'list', '-o', 'name')).stdout).toBe('acme-main\n');
  expect((await held('server', 'list', '-o', 'name')).stdout).toBe('acme-1\n');
  const [foreign, unknown] = [await held('config', 'show', 'beta-main'), await held('config', 'show', 'nobodys-9')];
  expect(foreign.code).toBe(3);
  expect(foreign.stderr.replaceAll('beta-main', 'X')).toBe(unknown.stderr.replaceAll('nobodys-9', 'X'));
  const more = ['config', 'create', 'more', '--subscription', 'acme-nodes'];
  expect(await held(...more)).toMatchObject({ code: 4, stderr: expect.stringContaining('sboxmgr whoami') as unknown });
  expect((await held(...more, '--project', 'acme')).stdout).toBe('more: version 1\n');
  expect((await held('config', 'edit', 'more', '--project', 'beta')).code).toBe(4);
  expect((await held('status')).code).toBe(4);
});

test('a user is held to bounds, and to none again', async () => {
  await using manager = await openManaged();
  const { run } = manager;
  await run(
    'user',
    'create',
    'cleo',
    '--role',
    'operator',
    '--project',
    'acme',
    '--servers',
    'a in (b,c)',
    '--generate',
  );
  const boundsNow = async (): Promise<unknown> =>
    (JSON.parse((await run('user', 'show', 'cleo', '-o', 'json')).stdout) as { bounds: unknown }).bounds;
  expect(await boundsNow()).toEqual({ projects: ['acme'], servers: 'a in (b,c)' });
  expect((await run('user', 'edit', 'cleo', '--project', 'acme', '--project', 'beta')).code).toBe(0);
  expect(await boundsNow()).toEqual({ projects: ['acme', 'beta'] });
  expect((await run('user', 'list')).stdout).toContain('projects acme, beta');
  expect((await run('user', 'edit', 'cleo', '--unbounded')).code).toBe(0);
  expect(await boundsNow()).toBeNull();
  expect((await run('user', 'edit', 'cleo', '--servers', '((')).code).toBe(2);
});
