import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { runCommand } from '../src/engines/run-command.ts';
import { sceneNames } from './take-over-scenes.ts';

jest.setTimeout(30_000);

const scenes = path.resolve(import.meta.dirname, 'take-over-scenes.ts');

/** In a network namespace of its own, where its rules are nobody else's; needs `unshare`, `ip` and `nft`. */
async function play(name: string): Promise<void> {
  const flags = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net'];
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', scenes, name];
  const { code, stdout, stderr } = await runCommand(spawn, {
    program: 'unshare',
    args: [...flags, 'sh', '-c', 'ip link set lo up && nft list tables && exec "$@"', 'sh', ...program],
    env: {
      PATH: process.env['PATH'] ?? '',
      ...(process.env['SBOX_TEST_DIR'] && { SBOX_TEST_DIR: process.env['SBOX_TEST_DIR'] }),
    },
    timeoutMs: 25_000,
  });
  expect({ code, said: `${stdout}${stderr}` }).toEqual({ code: 0, said: '' });
}

test.each(sceneNames)('%s', async (name) => {
  await play(name);
});
