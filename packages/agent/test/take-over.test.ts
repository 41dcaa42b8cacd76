import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, jest } from '@jest/globals';
import { runCommand } from '../src/engines/run-command.ts';
import { testUnless } from './needing.ts';
import { sceneNames } from './take-over-scenes.ts';

jest.setTimeout(30_000);

const scenes = path.resolve(import.meta.dirname, 'take-over-scenes.ts');
const flags = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net'];
// An ordinary user's PATH does not have the places where ip and nft are.
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };

/** What the kernel says where it gives no namespace, as in a chroot. A program that is missing is no such reason. */
function findRefusal(): string | undefined {
  const { status, stderr } = spawnSync('unshare', [...flags, 'true'], { env, encoding: 'utf8', timeout: 5000 });
  return status !== 0 && /not permitted|no space left|invalid argument/i.test(stderr ?? '') ? stderr.trim() : undefined;
}

/** In a network namespace of its own, where its rules are nobody else's; needs `unshare`, `ip` and `nft`. */
async function play(name: string, ...by: readonly string[]): Promise<void> {
  const program = [...by, process.execPath, '--disable-warning=ExperimentalWarning', scenes, name];
  const { code, stdout, stderr } = await runCommand(spawn, {
    program: 'unshare',
    args: [...flags, 'sh', '-c', 'ip link set lo up && nft list tables && exec "$@"', 'sh', ...program],
    env: {
      ...env,
      ...(process.env['SBOX_TEST_DIR'] && { SBOX_TEST_DIR: process.env['SBOX_TEST_DIR'] }),
    },
    timeoutMs: 25_000,
  });
  expect({ code, said: `${stdout}${stderr}` }).toEqual({ code: 0, said: '' });
}

const testHere = testUnless(findRefusal());
for (const name of sceneNames) testHere(name, async () => await play(name));

const swap = 'a rollback moves back to the engine that still lives';
testHere('a swap needs no other right than CAP_NET_ADMIN, which a unit of systemd can give', async () => {
  const rights = ['--bounding-set', '-all,+net_admin', '--inh-caps', '-all,+net_admin', '--no-new-privs'];
  await play(swap, 'setpriv', ...rights);
  // Without it there is only an overlap, and nothing to move back to.
  const none = ['--bounding-set', '-all', '--inh-caps', '-all'];
  await expect(play(swap, 'setpriv', ...none)).rejects.toThrow('strictly equal');
});
