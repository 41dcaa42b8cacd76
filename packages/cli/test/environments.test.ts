import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { openManaged, type Managed } from './managed.ts';

let managed: Managed;
beforeAll(async () => {
  managed = await openManaged();
  writeFileSync(path.join(managed.host.dir, 'nodes.txt'), 'trojan://example-password@192.0.2.1:443#One\n');
  for (const words of ['subscription add demo nodes.txt', 'config create main --subscription demo'])
    expect(await managed.run(...words.split(' '))).toMatchObject({ code: 0 });
}, 60_000);
afterAll(async () => await managed[Symbol.asyncDispose]());

/** What went well, as it was printed. */
async function run(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await managed.run(...words);
  expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' });
  return stdout;
}
const refused = async (...words: string[]): Promise<string> => {
  const { code, stderr } = await managed.run(...words);
  return `${code} ${stderr}`;
};

test('servers are labelled, found by labels, and get what is meant for them', async () => {
  await run('env', 'create', 'prod', '--description', 'customers', '--color', 'red');
  expect(await refused('env', 'create', 'odd', '--color', 'pink')).toMatch(/^[27] .*color/s);
  await run('server', 'add', 'nl-1', '--offline', '--label', 'role=edge', 'canary', '--environment', 'prod');
  expect(await run('server', 'edit', 'nl-1', '--label', 'region=eu', '--unlabel', 'canary')).toBe(
    'nl-1: environment prod, region=eu role=edge\n',
  );
  expect(await run('server', 'list', '--selector', 'region=eu,!canary', '-o', 'name')).toBe('nl-1\n');
  expect(await run('server', 'list', '--environment', 'prod', '-o', 'name')).toBe('nl-1\n');
  expect(await refused('server', 'edit', 'nl-1', '--label', '=x')).toContain('--label is "=x", not NAME=VALUE');

  expect(await refused('assignment', 'create', 'edges', '--selector', 'role=edge')).toContain('--config NAME');
  await run('assignment', 'create', 'edges', '--selector', 'role=edge', '--environment', 'prod', '--config', 'main');
  expect(await run('config', 'deploy', 'main', '--no-wait')).toContain('deployment ');
  const chosen = await managed.run('config', 'deploy', 'main', '--environment', 'prod', '--no-wait');
  expect(chosen).toMatchObject({ code: 0, stderr: expect.stringContaining('goes to 1 server: nl-1\n') as unknown });
  expect(await run('config', 'deploy', 'main', '--selector', 'role=edge,!canary', '--no-wait')).toContain(
    'deployment ',
  );
  expect(await refused('config', 'deploy', 'main', '--selector', 'role=none')).toMatch(/^5 .*role=none/s);
  expect(await refused('config', 'deploy', 'main', '--environment', 'prod', '--server', 'nl-1')).toMatch(
    /^2 .*one of/s,
  );
  expect(await run('config', 'diff', 'main', '1', '--against', '0', '--server', 'nl-1', '--text')).toContain(
    '+++ version 1',
  );
  expect(await refused('config', 'diff', 'main', '1', '--server', 'nobody')).toMatch(/^3 .*server nobody/s);
  expect(await run('assignment', 'list')).toMatch(/edges +role=edge in prod +main +main@1 +1\n/);
  expect(await run('assignment', 'servers', 'edges')).toMatch(/nl-1 +yes +main@1 +new +prod/);
  expect(await refused('assignment', 'create', 'all', '--selector', '', '--config', 'main')).toMatch(
    /^5 .*edges and all both mean main of nl-1/s,
  );
  expect(await run('assignment', 'edit', 'edges', '--no-environment', '--rename', 'all-edges')).toContain(
    'all-edges: role=edge\n',
  );
  expect(await run('server', 'edit', 'nl-1', '--no-environment')).toContain('nl-1: no environment, ');
  await run('assignment', 'remove', 'all-edges');
  expect(JSON.parse(await run('assignment', 'list', '-o', 'json'))).toEqual([]);
});

test('an environment is frozen, once or every week, and deployed to with a reason', async () => {
  await run('env', 'create', 'held');
  await run('server', 'add', 'fi-1', '--offline', '--environment', 'held');
  for (const [words, said] of [
    ['--for 2h', 'no reason was given'],
    ['--reason r', 'it has no end'],
    ['--reason r --for never', '--for is "never"'],
    ['--reason r --to 18:00', '--to is "18:00"'],
    ['--reason r --to 2026-12-20T18:00:00', 'Write it with its zone'],
    ['--reason r --days fri --to 18:00', 'Give both'],
    ['--reason r --days friday --from 18:00 --to 19:00', '--days is "friday"'],
  ] as const)
    expect(await refused('env', 'freeze', 'held', ...words.split(' '))).toContain(said);
  expect(await run('env', 'freeze', 'held', '--for', '2h', '--reason', 'fair')).toMatch(/frozen +until .*: fair\n/);
  const weekly = ['--days', 'sat,sun', '--from', '18:00', '--to', '08:00', '--time-zone', 'Europe/Amsterdam'];
  const shown = await run('env', 'freeze', 'held', ...weekly, '--reason', 'nobody', '--window', 'nights');
  expect(shown).toContain('freeze   nights: sat,sun 18:00 to 08:00 in Europe/Amsterdam: nobody\n');
  const deploy = ['config', 'deploy', 'main', '--server', 'fi-1'];
  expect(await refused(...deploy)).toMatch(/^5 .*held is frozen until .*: fi-1/s);
  expect(await run(...deploy, '--override-freeze', 'a hole')).toContain('in spite of a freeze: a hole');
  // What would be deployed by itself waits, and the list says so.
  await run('config', 'edit', 'main', '--auto-deploy');
  await run('settings', 'set', 'log_level=error', '--global');
  const waits = async (): Promise<boolean> =>
    (await managed.run('deployment', 'list')).stderr.includes('main: version 2 waits for the end of a freeze');
  for (let turn = 0; turn < 100 && !(await waits()); turn += 1);
  expect(await waits()).toBe(true);
  expect(await refused('env', 'unfreeze', 'held')).toContain('held has freeze-1, nights');
  await run('env', 'unfreeze', 'held', 'nights');
  expect(await run('env', 'unfreeze', 'held')).toContain('frozen   no');
  expect(await run('env', 'edit', 'held', '--color', 'yellow')).toContain('1 server, yellow');
  expect(await run('env', 'list')).toMatch(/held +1 +yellow +-/);
  expect(await refused('env', 'remove', 'held')).toMatch(/^5 .*servers fi-1/s);
  await run('server', 'remove', 'fi-1');
  await run('env', 'remove', 'held');
});
