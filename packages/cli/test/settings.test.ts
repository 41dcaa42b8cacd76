import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openManaged } from './managed.ts';

test('settings in layers, from the command line', async () => {
  await using manager = await openManaged();
  const { run, host } = manager;
  writeFileSync(path.join(host.dir, 'nodes.txt'), 'trojan://example-password@192.0.2.1:443#One\n');
  const done = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(...words);
    expect([words.join(' '), code, code === 0 ? '' : stderr]).toEqual([words.join(' '), 0, '']);
    return stdout;
  };
  await done('subscription', 'add', 'demo', 'nodes.txt');
  await done('config', 'create', 'home', '--subscription', 'demo');
  expect((await run('settings', 'list')).stderr).toContain('No values yet');
  expect(await done('settings', 'set', 'log_level=info', 'probe.need=2', '--global', '-m', 'for all')).toBe(
    'global: version 1\n  home has version 2\n',
  );
  expect(await done('settings', 'set', 'watch=0', '--labels', 'role=edge, !canary')).toContain(
    'labels:!canary,role=edge',
  );
  expect(await done('settings', 'show', '--global')).toBe('global: version 1\n  log_level = info\n  probe.need = 2\n');
  expect(await done('settings', 'unset', 'log_level', '--global')).toBe('global: version 2\n  home has version 4\n');
  expect(await done('settings', 'diff', '--global')).toBe('global: version 1 → 2\n- log_level = info\n');
  expect(await done('settings', 'rollback', '1', '--global')).toContain('global: version 3');
  expect(await done('settings', 'history', '--global')).toMatch(/3 +log_level.*version 1 again/);
  expect(await done('settings', 'list', '-o', 'name')).toBe('global\nlabels:!canary,role=edge\n');
  const keys = await done('settings', 'keys');
  expect(Math.max(...keys.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(keys).toMatch(/^KEY +DEFAULT +WHAT\n/);
  expect(await done('settings', 'keys', '-o', 'wide')).toMatch(/params\.port .* port .* mixed, /);
  expect(await done('settings', 'effective', '--of', 'home')).toMatch(/log_level +info +global/);

  const explained = await done('settings', 'explain', 'log_level', '--of', 'home');
  expect(explained).toContain('log_level = info   (global)');
  expect(explained).toContain('▶ global: info · wins');
  expect(explained).toContain('default: warn · loses to global');
  expect(await done('settings', 'explain', 'fetch.timeout')).toBe('fetch.timeout = "30s"   (default: default)\n');

  writeFileSync(path.join(host.dir, 'values.yaml'), 'urltest:\n  interval: 1m\nlog_level: error\n');
  expect(await done('settings', 'edit', '-f', 'values.yaml', '--environment', 'prod')).toContain('environment:prod');
  await done('env', 'set', 'dev', 'log_level=debug');
  expect(await done('env', 'diff', 'prod', 'dev')).toMatch(/log_level +error +debug\nurltest.interval +1m +3m\n/);
  expect(await done('env', 'unset', 'dev', 'log_level')).toContain('environment:dev: version 2');

  const add = ['settings', 'override', 'add', 'log_level=trace', '--server', 'nl-1'];
  expect((await run(...add)).code).toBe(2);
  const made = JSON.parse(await done(...add, '--for', '30m', '--reason', 'a fault', '-o', 'json')) as { id: string };
  expect(await done('settings', 'override', 'list')).toContain('server:nl-1');
  await done('settings', 'override', 'end', made.id);
  expect((await run('settings', 'override', 'list')).stderr).toContain('Nothing is overridden');

  // A policy that was there before keeps a config back: who changes a setting is told.
  await done('policy', 'create', 'never', '--expression', 'false', '--reason', 'not today');
  const kept = await run('settings', 'set', 'log_level=error', '--global');
  expect(kept).toMatchObject({ code: 0, stdout: expect.stringContaining('no config got a new version') as unknown });
  expect(kept.stderr).toMatch(/^home keeps its version: config\.policy-violated: .*not today/m);
  await done('policy', 'remove', 'never');

  const wrong = await run('settings', 'set', 'log_level=loud', '--global');
  expect(wrong.code).toBe(7);
  expect(wrong.stderr).toContain('global log_level:');
  for (const key of ['__proto__', 'params.__proto__'])
    expect(await run('settings', 'set', `${key}=1`, '--global')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('__proto__') as unknown,
    });
  writeFileSync(path.join(host.dir, 'wrong.yaml'), 'inbounds:\n  - type: mixed\n    __proto__: 1\n');
  expect((await run('settings', 'edit', '-f', 'wrong.yaml', '--global')).stderr).toContain(
    'body.values.inbounds.0: no field may be called __proto__',
  );
  expect((await run('settings', 'show')).code).toBe(2);
  expect((await run('settings', 'show', '--global', '--server', 'a')).code).toBe(2);
  expect((await run('settings', 'set', 'log_level', '--global')).stderr).toContain('log_level is not key=value');
});
