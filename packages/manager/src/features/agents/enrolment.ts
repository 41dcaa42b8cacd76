import { fromBase64, hex, isoTime, ProblemError, type Clock, type NewId } from '@sbox/core';
import { equalSecrets, readPublicKey, sha256 } from '@sbox/daemon/keys';
import { enrolProofText, type EnrolBody } from '@sbox/protocol';
import type { Repositories, Store } from '../../database/store.ts';
import { serverPlaced } from '../assignments/newcomers-marks.ts';
import type { Presence } from '../servers/presence.ts';
import type { JoinTokenRecord } from '../servers/join-tokens-repository.ts';
import type { Server } from '../servers/servers-repository.ts';

export interface EnrolmentDeps {
  readonly store: Store;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly newId: NewId;
  /** Tells a server that has just joined what it has to know before it is assigned anything. */
  readonly greet: (tx: Repositories, server: Server) => Promise<void>;
}

export const secretDigest = (secret: string): string => hex(sha256(Buffer.from(secret)));

/** Compared against when the token is not known, so that the answer takes as long. */
const nobody = secretDigest('');
const nameTries = 1000;

/**
 * Burns a join token and adds the server, both or neither. The same key may come again while the token is fresh: its
 * answer was lost on the way.
 */
export function createEnrolment({ store, presence, clock, newId, greet }: EnrolmentDeps) {
  return async (body: EnrolBody): Promise<{ server_id: string; name: string; server_time: string }> => {
    const spki = fromBase64(body.public_key);
    const proof = fromBase64(body.proof);
    if (!spki || !proof) throw new ProblemError('request.invalid', 'public_key and proof are base64');
    const key = readPublicKey(spki);
    if (!key.verify(Buffer.from(enrolProofText(body.token_id, body.public_key)), proof))
      throw new ProblemError('request.invalid', 'the proof is not a signature of this key');

    const { server, isNew } = await store.transaction(async (tx) => {
      const token = await tx.servers.findToken(body.token_id);
      checkToken(token, body.secret, clock);
      const now = isoTime(clock.now());
      const server_id = newId('srv');
      const isBurned = await tx.servers.burnToken(token.id, { used_at: now, used_keyid: key.keyid, server_id });
      if (!isBurned) return { server: await serverOfRetry(tx, token, key.keyid), isNew: false };
      const name = await freeName(tx, token.name ?? body.name);
      const added: Server = {
        id: server_id,
        name,
        agent: body.agent,
        engines: body.engines,
        labels: token.labels,
        environment: token.environment,
        revision: 1,
        seen_at: now,
        status: null,
        created_at: now,
      };
      await tx.servers.insert(added);
      await tx.servers.insertKey({ server_id, keyid: key.keyid, public_key: spki, created_at: now });
      await tx.events.add('server.joined', { server_id, name });
      await serverPlaced(tx, added);
      await greet(tx, added);
      return { server: added, isNew: true };
    });
    if (isNew) presence.added(server.id, false);
    presence.seen(server.id);
    return { server_id: server.id, name: server.name, server_time: isoTime(clock.now()) };
  };
}

function checkToken(
  token: JoinTokenRecord | undefined,
  secret: string,
  clock: Clock,
): asserts token is JoinTokenRecord {
  const isRight = equalSecrets(token?.secret_sha256 ?? nobody, secretDigest(secret));
  if (!token || !isRight) throw new ProblemError('join-token.invalid', 'this manager knows no such join token');
  if (Date.parse(token.expires_at) <= clock.now())
    throw new ProblemError('join-token.expired', `the join token expired at ${token.expires_at}`);
}

async function serverOfRetry(
  tx: Repositories,
  { used_keyid, server_id }: JoinTokenRecord,
  keyid: string,
): Promise<Server> {
  const server = used_keyid === keyid && server_id !== null ? await tx.servers.find(server_id) : undefined;
  if (!server) throw new ProblemError('join-token.used', 'another server joined with this token');
  return server;
}

/** Two machines may have one host name: the second gets a number. */
async function freeName(tx: Repositories, wanted: string): Promise<string> {
  for (let number = 1; number <= nameTries; number += 1) {
    const name = number === 1 ? wanted : `${wanted.slice(0, 58)}-${number}`;
    if (!(await tx.servers.find(name))) return name;
  }
  throw new ProblemError('server.exists', `there are ${nameTries} servers named ${wanted}`);
}
