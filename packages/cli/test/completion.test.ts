import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { commands } from '../src/commands.ts';
import { completionScript } from '../src/commands/completion.ts';
import { ofCommand, ofGroup, ofOption, ofPlaceholder } from '../src/completion/places.ts';
import { remoteOptions, sharedOptions } from '../src/shared-options.ts';
import { openManaged, type Managed } from './managed.ts';
import { openTestHost } from './test-host.ts';

const program = path.join(import.meta.dirname, '../src/main.ts');

/** What bash offers after these words, of which the last one is being typed. */
function offered(...words: readonly string[]): string[] {
  const typed = words.map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _sboxmgr; printf '%s\n' "\${COMPREPLY[@]}"`;
  const run = `sboxmgr() { '${process.execPath}' '${program}' "$@"; }`;
  const script = [completionScript('bash'), run, ask].join('\n');
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', cwd: path.dirname(program) })
    .split('\n')
    .filter(Boolean);
}

test('bash offers words, values, files, and nothing behind what is no command', () => {
  expect(offered('sboxmgr', 'conf')).toEqual(['config']);
  expect(offered('sboxmgr', 'token', 'create', 'x', '--role', '=', 'v')).toEqual(['viewer']);
  expect(offered('sboxmgr', 'check', 'mai')).toEqual(['main.ts']);
  expect(offered('sboxmgr', 'nonsense', '--x')).toEqual([]);
});

describe('words', () => {
  const complete = async (...words: string[]): Promise<string[]> => {
    using host = openTestHost();
    const { code, stdout, stderr } = await host.run(['__complete', '--', ...words], {
      env: { HOME: path.join(host.dir, 'home') },
    });
    expect([code, stderr]).toEqual([0, '']);
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t')[0] ?? '');
  };

  test.each([
    [['config', 'dep'], ['deploy']],
    [['help', 'config', 'dep'], ['deploy']],
    [['config', 'deploy', 'main', '--eng'], ['--engine']],
    [['config', 'deploy', 'main', '--engine', '1.14.4', '--tok'], ['--token-file']],
    [['config', 'deploy', 'main', '--engine', 'o'], ['own']],
    [
      ['config', 'list', '-o', ''],
      ['table', 'wide', 'json', 'yaml', 'name'],
    ],
    [['config', 'list', '-o', 'json', '--out'], []],
    [['config', 'list', '--output=y'], ['--output=yaml']],
    [['token', 'create', 'x', '--role', 'sec'], ['secadmin']],
    [
      ['audit', 'list', '--result', ''],
      ['ok', 'denied', 'failed'],
    ],
    [['convert', 'x', '--to', 'cl'], ['clash']],
    [
      ['export', '--format', ''],
      ['json', 'auto'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['explain', 'file.not'], ['file.not-found']],
    [['operator', 'show', 'ren'], ['rename']],
    [['apply', '--files', ''], [':directories']],
    [['generate', '-u', ''], [':files']],
    [
      ['generate', '--template', 'tun'],
      ['tun-gateway', ':files'],
    ],
    // What is only to be has no name yet, and other values are free.
    [['config', 'create', ''], []],
    [['client', 'add', 'phone', '--title', ''], []],
    [['nonsense', ''], []],
  ])('%j', async (words, next) => {
    expect(await complete(...words)).toEqual(next);
  });

  test('a command that wants no more words offers its options, each word with what it is', async () => {
    expect(await complete('config', 'list', '')).toContain('--project');
    using host = openTestHost();
    const ran = await host.run(['__complete', '--', 'config', 'li'], { env: { SBOXMGR_LANG: 'en' } });
    expect(ran.stdout).toBe('list\tList configs\n');
  });

  test('every command can be completed, and no word of ours needs quoting', async () => {
    for (const { usage } of commands) {
      const named = usage.split(' ').filter((word) => !/^[<[]/.test(word));
      expect(await complete(...named)).toContain(named.at(-1));
      expect(await complete(...named, '--verb')).toEqual(['--verbose']);
    }
  });
});

describe('names', () => {
  let manager: Managed;
  beforeAll(async () => {
    manager = await openManaged();
    writeFileSync(path.join(manager.host.dir, 'nodes.txt'), 'trojan://not-to-be-shown@192.0.2.1:443#One\n');
    for (const words of [
      ['subscription', 'add', 'home', 'nodes.txt'],
      ['config', 'create', 'main', '--subscription', 'home'],
      ['config', 'generate', 'main'],
      ['env', 'create', 'prod'],
      ['server', 'add', 'nl-1'],
      ['server', 'add', 'nl-2'],
      ['client', 'add', 'phone', 'main'],
      ['user', 'create', 'anna', '--role', 'viewer', '--generate'],
      ['context', 'add', 'office', 'http://office.test'],
    ])
      expect(await manager.run(...words)).toMatchObject({ code: 0 });
  });
  afterAll(async () => await manager[Symbol.asyncDispose]());

  test.each([
    [['subscription', 'show', ''], ['home']],
    [['config', 'create', 'x', '--subscription', ''], ['home']],
    [['config', 'deploy', ''], ['main']],
    [
      ['config', 'deploy', 'main', '--server', 'nl-1', 'nl-'],
      ['nl-1', 'nl-2'],
    ],
    [['config', 'rollback', 'main', ''], ['1']],
    [['config', 'export', 'main', '--version', ''], ['1']],
    [['env', 'set', ''], ['prod']],
    [['env', 'set', 'prod', 'log_'], ['log_level=']],
    [['env', 'diff', 'prod', ''], ['prod']],
    [['settings', 'unset', 'urltest.i'], ['urltest.interval']],
    [['settings', 'show', '--user', ''], ['phone']],
    [['client', 'add', 'tablet', ''], ['main']],
    [['user', 'edit', ''], ['anna']],
    [['template', 'show', 'mi'], ['mixed']],
    [['policy', 'enable', 'debug-log', 'open-'], ['open-inbound']],
    [['config', 'list', '--context', ''], ['office']],
    [['explain', 'config', ''], ['main']],
  ])('%j', async (words, next) => {
    const { code, stdout, stderr } = await manager.run('__complete', '--', ...words);
    expect([code, stdout.split('\n').filter(Boolean), stderr]).toEqual([0, next, '']);
  });

  test('are those of the manager that was typed; none, and no word, where it cannot be asked', async () => {
    const ask = ['__complete', '--', 'config', 'show'];
    const env = { SBOXMGR_URL: 'http://127.0.0.1:9' };
    expect((await manager.runWith(env, ...ask, '--manager', manager.url, '')).stdout).toBe('main\n');
    for (const wrong of [
      ['--context', 'nobody'],
      ['--token-file', 'nothing'],
      ['--manager', 'http://127.0.0.1:9'],
    ])
      expect(await manager.runWith({}, ...ask, ...wrong, '')).toEqual({ code: 0, stdout: '', stderr: '' });
    // Nobody is kept waiting: nothing answers there.
    const startedMs = performance.now();
    expect((await manager.runWith({}, ...ask, '--manager', 'http://192.0.2.1:1', '')).stdout).toBe('');
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });
});

test('no row of the tables is for a place that no command has', () => {
  const places = new Set<string>();
  const groups = new Set<string>();
  for (const { usage, options = [] } of commands) {
    const command = usage
      .split(' ')
      .filter((word) => !/^[<[]/.test(word))
      .join(' ');
    groups.add(command.split(' ')[0] ?? '');
    for (const word of usage.split(' ').filter((one) => /^[<[]/.test(one))) {
      places.add(`${command} ${word}`);
      places.add(word.replaceAll(/[<>[\]]|\.{3}/g, ''));
    }
    for (const { flags } of [...options, ...remoteOptions, ...sharedOptions]) {
      const [, long = '', value = ''] = /(--[a-z-]+)(?: [<[](.+?)(?:\.{3})?[>\]])?/.exec(flags) ?? [];
      places.add(`${command} ${long}`).add(`${long} <${value}>`).add(value);
    }
  }
  const rows = [ofCommand, ofOption, ofPlaceholder].flatMap((table) => Object.keys(table));
  expect(rows.filter((row) => !places.has(row))).toEqual([]);
  expect(Object.keys(ofGroup).filter((group) => !groups.has(group))).toEqual([]);
});

test('a shell that is not known is a problem that names those that are', async () => {
  using host = openTestHost();
  const { code, stderr } = await host.run(['completion', 'tcsh'], { env: { HOME: path.join(host.dir, 'home') } });
  expect([code, stderr]).toEqual([2, expect.stringContaining('tcsh is not one of bash, zsh, fish')]);
});
