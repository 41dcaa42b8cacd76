import { access, rename } from 'node:fs/promises';
import path from 'node:path';
import { openKeyPair } from '@sbox/daemon/keys';
import { joinAgain } from '../identity/join-again.ts';
import { statePaths } from '../identity/identity.ts';
import { printLine } from '../state/journal.ts';
import { inspectState } from '../state/inspect.ts';
import type { Repair, Step } from './step.ts';

/** A damaged journal is set aside, never deleted; what can be believed of it stays in use. */
export const journal: Repair = {
  name: 'journal',
  find: async ({ scene: { stateDir }, disk, stamp }) => {
    const { kind, records, why } = (await inspectState(disk, stateDir)).journal;
    if (kind === 'none' || kind === 'whole') return [];
    const file = path.join(stateDir, 'journal.ndjson');
    const aside = `${file}.torn-${stamp}`;
    const act = async (): Promise<void> => {
      await rename(file, aside);
      if (records.length > 0) await disk.write(file, records.map(printLine).join(''));
    };
    return [
      { what: `set the journal aside as ${path.basename(aside)} (${why}); its ${records.length} good steps stay`, act },
    ];
  },
};

/** A key that cannot be read would keep this server from joining again. */
export const identity: Repair = {
  name: 'identity',
  find: async ({ scene, stamp }) => {
    const { key, identity: file } = statePaths(scene.stateDir);
    const steps: Step[] = [];
    const isThere = await access(key).then(
      () => true,
      () => false,
    );
    const isWhole =
      isThere &&
      (await openKeyPair(key).then(
        () => true,
        () => false,
      ));
    if (isThere && !isWhole) {
      const aside = `${key}.damaged-${stamp}`;
      steps.push({
        what: `set the damaged key aside as ${path.basename(aside)}; then: ${joinAgain}`,
        act: async () => await rename(key, aside),
      });
    }
    const known = await scene.identity().then(
      () => true,
      () => false,
    );
    if (!known) steps.push({ what: `${file} is damaged. ${joinAgain}` });
    return steps;
  },
};
