import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { commands } from '../src/commands.ts';
import { completionScript, wordsOf } from '../src/commands/completion.ts';
import { openTestHost } from './test-host.ts';

/** What bash offers after these words, of which the last one is being typed. */
function offered(...words: readonly string[]): string[] {
  const typed = words.map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _sboxmgr; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = execFileSync('bash', ['-c', `${completionScript('bash', commands)}\n${ask}`], { encoding: 'utf8' });
  return printed.split('\n').filter(Boolean);
}

test.each([
  [['sboxmgr', 'conf'], ['config']],
  [['sboxmgr', 'config', 'dep'], ['deploy']],
  [['sboxmgr', 'config', 'deploy', 'main', '--eng'], ['--engine']],
  [['sboxmgr', 'config', 'deploy', 'main', '--engine', '1.14.4', '--tok'], ['--token-file']],
  [['sboxmgr', 'nonsense', '--x'], []],
])('bash completes %j', (words, next) => {
  expect(offered(...words)).toEqual(next);
});

test('every command can be completed, and no word needs quoting', () => {
  const words = wordsOf(commands);
  for (const { usage } of commands) {
    const named = usage.split(' ').filter((word) => !/^[<[]/.test(word));
    expect(words.get(['sboxmgr', ...named].join(' '))).toContain('--verbose');
  }
  expect([...words].flat(2).filter((word) => !/^[a-z -]+$/.test(word))).toEqual([]);
});

test('scripts for the other shells know the same words', () => {
  for (const shell of ['zsh', 'fish']) {
    const script = completionScript(shell, commands);
    for (const [words, next] of wordsOf(commands)) {
      expect(script).toContain(`'${words}'`);
      expect(script).toContain(`'${next.join(' ')}'`);
    }
  }
});

test('a shell that is not known is a problem that names those that are', async () => {
  using host = openTestHost();
  const { code, stderr } = await host.run(['completion', 'tcsh'], { env: { HOME: path.join(host.dir, 'home') } });
  expect([code, stderr]).toEqual([2, expect.stringContaining('tcsh is not one of bash, zsh, fish')]);
});
