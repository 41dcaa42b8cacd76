import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openManaged } from './managed.ts';

test('the audit log is listed, shown, exported and verified, with a manager and without', async () => {
  await using manager = await openManaged();
  const { run, host } = manager;
  const file = (name: string): string => path.join(host.dir, name);
  const verify = async (...words: string[]) => await host.run(['audit', 'verify', ...words]);
  expect(await run('audit', 'verify')).toMatchObject({ code: 0, stdout: 'the log is empty\n' });
  for (const name of ['one', 'two']) expect((await run('server', 'add', name)).code).toBe(0);
  expect((await run('token', 'revoke', 'gone')).code).toBe(3);

  const listed = await run('audit', 'list', '--since', '1h', '--result', 'ok');
  expect(listed.stdout.split('\n')[1]).toMatch(
    /^2 .* ago +admin +\S*127\.0\.0\.1 +addServer +two +ok +server\.joined$/,
  );
  const failed = JSON.parse((await run('audit', 'list', '--result', 'failed', '-o', 'json')).stdout) as unknown[];
  expect(failed).toMatchObject([{ seq: 3, action: 'deleteToken', object: { id: 'gone' }, code: 'token.not-found' }]);
  expect((await run('audit', 'show', '1')).stdout).toContain('action: addServer');
  expect((await run('audit', 'show', '9')).code).toBe(3);
  expect((await run('audit', 'list', '--since', 'long ago')).code).toBe(2);
  expect((await run('audit', 'list', '--result', 'good')).code).toBe(2);

  expect((await run('audit', 'export', '-f', 'first.ndjson')).code).toBe(0);
  expect((await run('audit', 'export')).stdout).toBe(readFileSync(file('first.ndjson'), 'utf8'));
  expect((await run('server', 'add', 'three')).code).toBe(0);
  expect(await run('audit', 'verify', '--kept', 'first.ndjson')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('holds: entries 1 to 4\n'),
  });
  await manager.restart();
  expect((await run('audit', 'checkpoints')).stdout).toMatch(/\n4 +\S+ ago +[0-9a-f]{64} +[0-9a-f]{16}\n$/);
  expect((await run('audit', 'export', '-f', 'all.ndjson')).code).toBe(0);
  expect(await verify('all.ndjson')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^holds: entries 1 to 4\nproved up to entry 4 by 1 checkpoint of [0-9a-f]{16}\n$/),
    stderr: expect.stringContaining('--key FILE'),
  });
  expect(await verify('all.ndjson', '--key', 'all.ndjson')).toMatchObject({ code: 0, stderr: '' });

  const all = readFileSync(file('all.ndjson'), 'utf8');
  const broken = async (text: string, ...words: string[]) => {
    writeFileSync(file('broken.ndjson'), text);
    const { code, stdout } = await verify('broken.ndjson', ...words);
    return [code, stdout.split(':')[0]];
  };
  const lines = all.split('\n');
  expect(await broken(all.replace('"actor_name":"admin"', '"actor_name":"other"'))).toEqual([1, 'broken at entry 1']);
  expect(await broken(lines.toSpliced(1, 1).join('\n'))).toEqual([1, 'broken at entry 2']);
  expect(await broken(lines.toSpliced(3, 1).join('\n'))).toEqual([1, 'broken at entry 4']);
  expect(await broken(`${all}not a line\n`)).toEqual([1, 'broken at entry 5']);
  // Whoever takes out the checkpoints has a chain that holds, but nothing that proves it.
  const bare = lines.filter((line) => line.includes('"kind":"entry"')).join('\n');
  expect(await broken(bare)).toEqual([0, 'holds']);
  expect(await broken(bare, '--key', 'all.ndjson')).toEqual([1, 'not proved']);
  expect((await verify('all.ndjson', '--key', 'broken.ndjson')).code).toBe(2);
  expect((await verify('gone.ndjson')).code).toBe(3);

  // Names of what was named by its id, also of what is gone; the ids are in the wide table.
  const { id } = JSON.parse((await run('server', 'show', 'three', '-o', 'json')).stdout) as { id: string };
  expect((await run('server', 'edit', id, '--label', 'a=b')).code).toBe(0);
  expect((await run('server', 'remove', 'two')).code).toBe(0);
  const changed = (await run('audit', 'list', '--limit', '2')).stdout;
  expect(changed).toMatch(/ deleteServer +two +ok [^]* updateServer +three +ok /);
  expect(changed).not.toContain(id);
  expect((await run('audit', 'list', '--limit', '2', '-o', 'wide')).stdout).toContain(id);
});
