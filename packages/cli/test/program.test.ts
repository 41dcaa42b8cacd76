import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { openTestHost, singBox } from './test-host.ts';

test.each([
  [[], 'Usage: sboxmgr [options]'],
  [['config'], 'Usage: sboxmgr config [options]'],
  [['help', 'nothing-like-it'], 'Usage: sboxmgr [options]'],
])('%j shows what there is and ends as a wrong command', async (words, usage) => {
  using host = openTestHost();
  const { code, stdout, stderr } = await host.run(words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(usage);
});

test.each([
  [['config', 'create'], 'sboxmgr config create --help'],
  [['config', 'nothing-like-it'], 'sboxmgr config --help'],
  [['nothing-like-it'], 'sboxmgr --help'],
])('the fix of %j names the help to read', async (words, fix) => {
  using host = openTestHost();
  const { code, stderr } = await host.run(words);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: the command is not written right\ncause: /);
  expect(stderr.trimEnd().endsWith(`fix:   ${fix}`)).toBe(true);
});

test('--version of a command is its own option, not the version of the program', async () => {
  using host = openTestHost();
  const words = 'config deploy main --version 3/4 --manager http://127.0.0.1:9'.split(' ');
  const { code, stdout, stderr } = await host.run(words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('"3/4" is neither the number of a version nor a tag');
  expect((await host.run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('a command that is told to stop is no failure of ours', async () => {
  await using server = createServer();
  const controller = new AbortController();
  server.on('request', () => controller.abort());
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  using host = openTestHost();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, stderr } = await host.run(['status', '--manager', url], { signal: controller.signal });
  expect({ code, stderr }).toEqual({ code: 130, stderr: 'stopped\n' });
});

test('generate says where it cannot write, and check what is no JSON', async () => {
  using host = openTestHost();
  const links = path.join(host.dir, 'links.txt');
  writeFileSync(links, 'ss://YWVzLTEyOC1nY206c2VjcmV0@192.0.2.2:8388#Oslo\n');
  const written = await host.run(['generate', '-u', links, '--engine', singBox, '-f', 'nowhere/config.json']);
  expect(written.code).toBe(1);
  expect(written.stderr).toMatch(/cause: .*nowhere\/config\.json cannot be written: .*ENOENT/);
  expect(written.stderr).not.toContain('bug');
  const checked = await host.run(['check', links]);
  expect(checked.code).toBe(7);
  expect(checked.stderr).toMatch(/links\.txt is not JSON: .*\nfix: {3}Mend it at that place/);
});
