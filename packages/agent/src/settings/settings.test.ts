import { expect, test, describe } from '@jest/globals';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openBench } from '../../test/agent-bench.ts';
import { engineCandidates } from './engine-candidates.ts';
import { readAgentSettings } from './read-settings.ts';

describe('settings', () => {
  test('have a default for everything, with durations in milliseconds', async () => {
    await using bench = await openBench();
    await mkdir(bench.stateDir);
    const settings = await readAgentSettings({ config: bench.stateDir, environment: {} });
    expect(settings).toMatchObject({
      state_dir: '/var/lib/sboxagent',
      sync: { wait: 50_000, retry_cap: 60_000 },
      import: { dir: '/etc/sboxagent/import.d', after: 300_000 },
      api: {
        host: '127.0.0.1',
        port: 4781,
        security: { auth_enabled: true, rate_limit: { requests_per_minute: 100 } },
      },
      plugins: { event_collection: { buffer_size: 1000 } },
    });
    expect(settings.import.allow_unsigned).toBeUndefined();
  });

  test('come from files in name order, then the environment, then flags', async () => {
    await using bench = await openBench();
    await mkdir(bench.importDir);
    await writeFile(
      path.join(bench.importDir, 'a.yaml'),
      'log: {level: warn}\nports: {mixed-in: 1080}\nsync: {poll: 10s}\n',
    );
    await writeFile(path.join(bench.importDir, 'b.yaml'), 'log: {level: error}\nimport: {after: 0}\n');
    await writeFile(path.join(bench.importDir, 'c.txt'), 'not: read');
    const settings = await readAgentSettings({
      config: bench.importDir,
      environment: {
        SBOXAGENT_SYNC_POLL: '20s',
        SBOXAGENT_STATE_DIR: '/env',
        SBOXAGENT_MANAGER_URLS: '["https://a.example"]',
      },
      flags: { state_dir: '/flag' },
    });
    expect(settings).toMatchObject({
      state_dir: '/flag',
      log: { level: 'error' },
      ports: { 'mixed-in': 1080 },
      sync: { poll: 20_000 },
      import: { after: 0 },
      manager: { urls: ['https://a.example'] },
    });
  });

  test.each([
    ['nonsense: 1', 'nonsense'],
    ['sync: {poll: soon}', 'sync.poll'],
    ['ports: {a: 99999}', 'ports.a'],
    ['manager: {urls: ["ftp://a"]}', 'manager.urls.0'],
    ['- a list', 'must hold keys'],
    ['a: {', 'YAML'],
  ])('%s is refused by name', async (text, pattern) => {
    await using bench = await openBench();
    const file = path.join(bench.directory, 'agent.yaml');
    await writeFile(file, text);
    const reading = readAgentSettings({ config: file, environment: {} });
    await expect(reading).rejects.toMatchObject({
      code: 'settings.invalid',
      message: expect.stringContaining(pattern),
    });
  });

  test('the engine that was named is the only candidate beside the one that a rescue put in', () => {
    const environment = { PATH: '/usr/bin:relative', SBOX_SING_BOX: '/opt/sb' };
    const search = { environment, programDir: '/a/b', stateDir: '/state' };
    const rescued = '/state/engine/sing-box';
    expect(engineCandidates({ ...search, configured: '/etc/sb' })).toEqual([rescued, '/etc/sb']);
    expect(engineCandidates(search)).toEqual([rescued, '/opt/sb']);
    expect(engineCandidates({ ...search, environment: { PATH: '/usr/bin:relative' } })).toEqual([
      rescued,
      '/a/b/.tools/bin/sing-box',
      '/a/.tools/bin/sing-box',
      '/.tools/bin/sing-box',
      '/usr/bin/sing-box',
    ]);
  });
});
