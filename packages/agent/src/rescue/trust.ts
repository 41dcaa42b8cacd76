import { messageOf, ProblemError } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { knownUrls } from '../doctor/ask-manager.ts';
import { fetchTrust } from '../identity/join.ts';
import { waysOf } from '../sync/manager-way.ts';
import { requireCa, writeTrust } from '../trust/trust-store.ts';
import type { Repair, RescueScene } from './step.ts';

const answerTimeoutMs = 12_000;

/** Whoever hands the trust document out, the pin in the identity says whether it is the right one. */
export const trust: Repair = {
  name: 'trust',
  find: async (rescue) => {
    const { scene } = rescue;
    // Without the pin nothing can be checked.
    const identity = await scene.identity().catch(() => undefined);
    if (identity === undefined) return [];
    const urls = await knownUrls(scene, identity);
    if (urls.length === 0) return [];
    const known = await scene.trusted().catch(() => undefined);
    if (known !== undefined) return [];
    const what = `fetch the trust document again (${urls.join(', ')}) and check it against the pin`;
    return [{ what, act: async () => await fetchAgain(rescue, urls, identity.pin) }];
  },
};

async function fetchAgain({ scene }: RescueScene, urls: readonly string[], pin: string): Promise<void> {
  const { clock, settings, stateDir } = scene;
  const ways = waysOf(settings.manager, () => undefined).filter(({ via }) => via !== 'engine');
  const failures: string[] = [];
  for (const url of urls) {
    for (const way of ways) {
      try {
        const signal = AbortSignal.timeout(answerTimeoutMs);
        const trusted = await fetchTrust({ url, ways: [way], clock, log: silentLogger, signal }, pin);
        requireCa(trusted);
        await writeTrust(stateDir, trusted);
        return;
      } catch (error) {
        failures.push(`${url}: ${messageOf(error)}`);
      }
    }
  }
  throw new ProblemError('manager.unreachable', failures.join('; '));
}
