import { expect, test, describe } from '@jest/globals';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { formatJoinToken, systemClock } from '@sbox/core';
import { createKeyPair, sha256 } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { openBench } from '../../test/agent-bench.ts';
import { createTestCertificates } from '../../test/certificates.ts';
import { startManagerDouble } from '../../test/manager-double.ts';
import { readIdentity } from './identity.ts';
import { join, serverName } from './join.ts';

const clock = systemClock;
const shared = { engines: [], clock, log: silentLogger };

describe('joining', () => {
  test('stores who this server is with its key and the trust, readable by its owner only, and removes the token', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const identity = await bench.join(manager, 'edge-1');
    expect(identity).toMatchObject({ name: 'edge-1', manager_urls: [manager.url], pin: manager.pin });
    expect(await readIdentity(bench.stateDir)).toEqual(identity);
    const names = await readdir(bench.stateDir);
    expect(names.toSorted()).toEqual(['agent.key', 'identity.json', 'trust.json']);
    for (const name of names) expect((await stat(path.join(bench.stateDir, name))).mode & 0o777).toBe(0o600);
    expect((await stat(bench.stateDir)).mode & 0o777).toBe(0o700);
    expect(await readdir(bench.directory)).not.toContain('token');
  });

  test('sends nothing secret to a manager with another root key', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const pin = sha256(createKeyPair().publicKey);
    const tokenFile = path.join(bench.directory, 'token');
    await writeFile(tokenFile, formatJoinToken({ id: 'a', secret: 'b', pin }));
    const joining = join({ ...shared, url: manager.url, tokenFile, stateDir: bench.stateDir });
    await expect(joining).rejects.toMatchObject({ code: 'manager.untrusted' });
    expect(manager.requests.map(({ path: place }) => place)).toEqual(['/api/agent/v1/trust']);
    expect(await readdir(bench.directory)).toContain('token');
    expect(await readIdentity(bench.stateDir)).toBeUndefined();
  });

  test('sends nothing secret to one who shows the right documents and another certificate', async () => {
    await using bench = await openBench();
    const real = await createTestCertificates(['manager.sbox.internal']);
    const stolen = { ...(await createTestCertificates(['manager.sbox.internal'])), caPem: real.caPem };
    await using manager = await startManagerDouble({ clock, certificates: stolen });
    await expect(bench.join(manager)).rejects.toMatchObject({ code: 'manager.untrusted' });
    expect(manager.requests.map(({ path: place }) => place)).toEqual(['/api/agent/v1/trust']);
  });

  test('scenario 25: may be repeated with the same token when the answer was lost', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const tokenFile = path.join(bench.directory, 'token');
    await writeFile(tokenFile, manager.joinToken());
    const options = { ...shared, url: manager.url, tokenFile, stateDir: bench.stateDir };
    manager.fault = 'lost-answer';
    await expect(join(options)).rejects.toMatchObject({ code: 'internal.error' });
    const [lost] = [...manager.servers.keys()];
    manager.fault = undefined;
    expect((await join(options)).server_id).toBe(lost);
    expect(manager.servers.size).toBe(1);
  });

  test.each([
    ['a token that was cut', 'sbox_join_a_b', 'join-token.invalid'],
    ['no token at all', '', 'join-token.invalid'],
  ])('says what is wrong with %s', async (_, text, code) => {
    await using bench = await openBench();
    const tokenFile = path.join(bench.directory, 'token');
    await writeFile(tokenFile, text);
    const joining = join({ ...shared, url: 'http://127.0.0.1:1', tokenFile, stateDir: bench.stateDir });
    await expect(joining).rejects.toMatchObject({ code });
  });

  test('scenario 25: a used token, an address that nobody answers and a wrong address have their own codes', async () => {
    await using bench = await openBench();
    await using other = await openBench();
    await using manager = await startManagerDouble({ clock });
    const text = manager.joinToken();
    const joinWith = async ({ directory, stateDir }: typeof bench, url: string): Promise<unknown> => {
      const tokenFile = path.join(directory, 'token');
      await writeFile(tokenFile, text);
      return await join({ ...shared, url, tokenFile, stateDir });
    };
    await expect(joinWith(bench, 'http://127.0.0.1:1')).rejects.toMatchObject({ code: 'manager.unreachable' });
    await expect(joinWith(bench, 'manager')).rejects.toMatchObject({ code: 'command.usage' });
    await joinWith(bench, manager.url);
    await expect(joinWith(other, manager.url)).rejects.toMatchObject({ code: 'join-token.used' });
    expect(await readFile(path.join(other.directory, 'token'), 'utf8')).toBe(text);
  });

  test('the name of a host becomes the name of a server', () => {
    expect(serverName('web-1.example')).toBe('web-1.example');
    expect(serverName('_ümläut host')).toBe('ml-ut-host');
    expect(serverName('---')).toBe('server');
  });
});
