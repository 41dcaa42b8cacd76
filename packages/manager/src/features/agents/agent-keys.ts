import { fromBase64, isoTime, ProblemError, type Clock } from '@sbox/core';
import { readPublicKey, type PublicKey } from '@sbox/daemon/keys';
import { keyProofText } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import type { AgentKeyRecord } from '../servers/servers-repository.ts';

/** The key of a server, as a request of it is checked with. */
export interface AgentKey extends PublicKey {
  /** Called once a whole request was verified: the next key takes over with its first one. */
  used(): Promise<void>;
}

export interface AgentKeys {
  /** Undefined for a server that never joined. @throws ProblemError `auth.revoked` for one that was removed */
  find(serverId: string): Promise<AgentKey | undefined>;
  /** Takes the next key of a server; one that is in use already is no news. @throws ProblemError `request.invalid` */
  bring(
    serverId: string,
    key: { readonly public_key: string; readonly proof: string },
  ): Promise<{ keyid: string; state: 'candidate' | 'committed' }>;
}

/** Both keys are good from the moment that the next one is stored until it is used, so that no crash locks a server out. */
export function createAgentKeys({ store, clock }: { store: Store; clock: Clock }): AgentKeys {
  const commit = async (serverId: string, keyid: string): Promise<void> => {
    await store.transaction(async (tx) => {
      if (await tx.servers.commitKey(serverId, keyid))
        await tx.events.add('server.key-rotated', { server_id: serverId, keyid });
    });
  };
  return {
    async find(serverId) {
      const records = await store.servers.keys(serverId);
      const revoked = records.find(({ revoked_at: at }) => at !== null);
      if (revoked)
        throw new ProblemError('auth.revoked', `server ${serverId} was removed at ${revoked.revoked_at ?? ''}`);
      const [first, ...others] = records.map(toKey);
      if (!first) return undefined;
      let good = first;
      return {
        keyid: first.keyid,
        verify(message, signature) {
          const found = [first, ...others].find((key) => key.verify(message, signature));
          good = found ?? good;
          return found !== undefined;
        },
        used: async () => {
          if (good.isCandidate) await commit(serverId, good.keyid);
        },
      };
    },
    async bring(serverId, { public_key: publicKey, proof }) {
      const [spki, signature] = [fromBase64(publicKey), fromBase64(proof)];
      if (!spki || !signature) throw new ProblemError('request.invalid', 'public_key and proof are base64');
      const key = readPublicKey(spki);
      if (!key.verify(Buffer.from(keyProofText(serverId, publicKey)), signature))
        throw new ProblemError('request.invalid', 'the proof is not a signature of this key');
      const { keyid } = key;
      return await store.transaction(async (tx) => {
        const known = (await tx.servers.keys(serverId)).find((record) => record.keyid === keyid);
        if (known && known.is_candidate === 0) return { keyid, state: 'committed' };
        const created_at = isoTime(clock.now());
        if (!known) await tx.servers.replaceCandidate({ server_id: serverId, keyid, public_key: spki, created_at });
        return { keyid, state: 'candidate' };
      });
    },
  };
}

const toKey = ({ public_key: publicKey, is_candidate: candidate }: AgentKeyRecord) => ({
  ...readPublicKey(publicKey),
  isCandidate: candidate === 1,
});
