import { printGeneration } from '@sbox/core';
import type { InspectedState, InspectedVersion } from '../state/inspect.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';

const rescue = 'sboxagent rescue shows what it can do about it';

/** The journal, and whether what it calls good is there in one piece. */
export const journalCheck: Check = {
  name: 'journal',
  limitMs: 15_000,
  look: async (scene) => {
    const state = await scene.state();
    const { journal, accepted, versions, hold, quarantine } = state;
    return [
      ...judgeJournal(journal),
      ...judgeVersions(versions, state),
      ...(accepted === 'damaged'
        ? [warning('accepted.json is damaged; the journal says what is the newest', 'The next order mends it.')]
        : []),
      ...(hold
        ? [
            warning(
              `held: ${hold.reason}`,
              'To take orders again: sboxagent config release, or without an agent: sboxagent rescue --release-hold --yes',
              'hold',
            ),
          ]
        : []),
      ...quarantine.map(({ digest, code, message, isFinal }) =>
        isFinal
          ? warning(`${code}: ${message}`, 'To try it again: sboxagent rescue --lift-quarantine', digest)
          : ok(`failed once: ${code}: ${message}`, digest),
      ),
    ];
  },
};

function judgeJournal({ kind, records, why }: InspectedState['journal']): Finding[] {
  if (kind === 'unreadable') return [failed(`it cannot be read: ${why}`, `${rescue}.`)];
  if (kind === 'torn') return [warning(`torn: ${why}`, `The agent goes on with what is before; ${rescue}.`)];
  return [ok(kind === 'none' ? 'there is none yet' : `${records.length} steps`)];
}

function judgeVersions(versions: readonly InspectedVersion[], { marked, journal }: InspectedState): Finding[] {
  const good = versions.find(({ isCommitted }) => isCommitted) ?? versions[0];
  if (good === undefined) {
    if (journal.kind === 'none' && marked.length === 0) return [];
    const whole = marked.filter(({ broken }) => broken.length === 0).map(({ slot }) => slot.unit.name);
    return whole.length > 0
      ? [warning(`no version is known to be good; the slots still tell of ${whole.join(', ')}`, `${rescue}.`)]
      : [warning('no version is known to be good', 'Wait for the manager, or: sboxagent import FILE')];
  }
  const about = printGeneration(good.version);
  if (good.broken.length > 0) {
    return [failed(`the last good version cannot be started: ${good.broken.join('; ')}`, `${rescue}.`, about)];
  }
  if (good.lost.length > 0) {
    return [
      warning(
        `the last good version starts, but its content is gone: ${good.lost.join(', ')}`,
        'It is fetched again with the next order; without a manager: sboxagent import FILE',
        about,
      ),
    ];
  }
  return [ok('the last good version is there in one piece', about)];
}
