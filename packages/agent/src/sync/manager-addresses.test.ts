import { describe, expect, test } from '@jest/globals';
import { silentLogger } from '@sbox/daemon/log';
import type { Disk } from '../state/disk.ts';
import { openManagerAddresses, type ManagerAddresses } from './manager-addresses.ts';

type Files = Map<string, string>;

/** A disk of which the write of this number is the last thing that happens; it is durable, or it never was. */
function diskOf(
  files: Files,
  crash?: { readonly at: number; readonly isDurable: boolean },
): Pick<Disk, 'read' | 'write'> {
  let writes = 0;
  return {
    read: async (file) => {
      const text = files.get(file);
      return await Promise.resolve(text === undefined ? undefined : Buffer.from(text));
    },
    async write(file, content) {
      await Promise.resolve();
      writes += 1;
      const isDead = crash !== undefined && writes >= crash.at;
      if (!isDead || (writes === crash.at && crash.isDurable)) files.set(file, String(content));
      if (isDead) throw new Error('no power');
    },
  };
}

const given = ['https://old.test'];
const moved = 'https://new.test:1';

const open = async (files: Files, disk = diskOf(files), serverId = 'srv_1'): Promise<ManagerAddresses> =>
  await openManagerAddresses({ stateDir: '/state', serverId, given, disk, log: silentLogger });

describe('addresses of a manager', () => {
  test('a new one counts once it has answered, and comes first then; the old one stays', async () => {
    const files: Files = new Map();
    const addresses = await open(files);
    await addresses.propose([moved, 'https://old.test', moved]);
    expect(addresses).toMatchObject({ known: given, candidates: [moved] });
    expect(await open(files)).toMatchObject({ known: given, candidates: [moved] });
    await addresses.confirm(moved);
    for (const each of [addresses, await open(files)])
      expect(each).toMatchObject({ known: [moved, ...given], candidates: [] });
    await addresses.answered('https://old.test');
    expect((await open(files)).known).toEqual([...given, moved]);
    await addresses.propose([]);
    expect((await open(files)).known).toEqual([...given, moved]);
  });

  test('a manifest that names no other ones takes the candidates back', async () => {
    const addresses = await open(new Map());
    await addresses.propose([moved]);
    await addresses.propose([]);
    expect(addresses.candidates).toEqual([]);
  });

  test.each(['http://manager.example.test', 'ftp://x.test', 'nonsense', 'javascript:1'])(
    '%s is no address to follow a manager to',
    async (url) => {
      const addresses = await open(new Map());
      await addresses.propose([url]);
      expect(addresses.candidates).toEqual([]);
    },
  );

  test('those of another join, and a damaged file, are forgotten', async () => {
    const files: Files = new Map();
    await (await open(files)).confirm(moved);
    expect((await open(files, diskOf(files), 'srv_2')).known).toEqual(given);
    for (const name of files.keys()) files.set(name, '{"order":');
    expect((await open(files)).known).toEqual(given);
  });

  const steps: readonly ((addresses: ManagerAddresses) => Promise<void>)[] = [
    async (addresses) => await addresses.propose([moved]),
    async (addresses) => await addresses.confirm(moved),
    async (addresses) => await addresses.answered('https://old.test'),
    async (addresses) => await addresses.answered(moved),
    async (addresses) => await addresses.propose(['https://next.test']),
    async (addresses) => await addresses.confirm('https://next.test'),
  ];
  const crashes = steps.flatMap((_, index) => [true, false].map((isDurable) => ({ at: index + 1, isDurable })));

  test.each(crashes)(
    'after a loss of power at write $at (durable: $isDurable) only what answered is known',
    async (crash) => {
      const files: Files = new Map();
      const addresses = await open(files, diskOf(files, crash));
      for (const step of steps) await step(addresses);
      const after = await open(files);
      const done = crash.isDurable ? crash.at : crash.at - 1;
      const confirmed = [...(done >= 2 ? [moved] : []), ...(done >= 6 ? ['https://next.test'] : [])];
      expect(after.known.toSorted()).toEqual([...given, ...confirmed].toSorted());
      // What was proposed is tried again, unless it was proved.
      const proposed = done >= 5 ? 'https://next.test' : done >= 1 ? moved : undefined;
      expect(after.candidates).toEqual(proposed === undefined || confirmed.includes(proposed) ? [] : [proposed]);
      // And the manager, which says it again, gets the server there from wherever it is.
      await after.propose([moved]);
      await after.confirm(moved);
      expect((await open(files)).known).toContain(moved);
    },
  );
});
