import { access } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import { openKeyPair } from '@sbox/daemon/keys';
import { statePaths } from '../identity/identity.ts';
import { refetchTrust } from '../trust/trust-store.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';
import { joinAgain } from '../identity/join-again.ts';
import type { Scene } from './scene.ts';

/** From the pin of the root key to the keys that may sign orders, and the key of this server itself. */
export const signatureCheck: Check = {
  name: 'signatures',
  look: async (scene) => {
    const identity = await scene.identity().catch(() => 'damaged' as const);
    if (identity === undefined) return ok('nobody is believed yet: this server has not joined');
    const { identity: file } = statePaths(scene.stateDir);
    if (identity === 'damaged') return failed(`${file} is damaged: the manager is not asked`, joinAgain);
    return [
      ok(`${identity.name} (${identity.server_id}), pin ${identity.pin}`),
      await checkKey(scene),
      await checkChain(scene),
    ];
  },
};

async function checkKey({ stateDir }: Scene): Promise<Finding> {
  const { key: file } = statePaths(stateDir);
  try {
    await access(file);
    const { keyid } = await openKeyPair(file);
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) return failed(`others may read ${file}`, `chmod 600 ${file}`);
    return ok(`key of this server: ${keyid}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES')
      return warning(`${file} cannot be read`, 'Run the command as root or as the user of the agent.');
    const what = code === 'ENOENT' ? 'is gone' : 'is damaged';
    return failed(`${file} ${what}: the manager will not know this server`, joinAgain);
  }
}

async function checkChain(scene: Scene): Promise<Finding> {
  try {
    const trusted = await scene.trusted();
    if (trusted === undefined) return failed('the trust document is gone', refetchTrust);
    const { trust, keys } = trusted;
    return ok(`trust document ${trust.version}, signed by the pinned key; orders by ${[...keys.keys()].join(', ')}`);
  } catch {
    return failed('the trust document is damaged, or not signed by the pinned key', refetchTrust);
  }
}
