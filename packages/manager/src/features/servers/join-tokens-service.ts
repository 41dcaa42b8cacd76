import {
  encodeBase62,
  formatJoinToken,
  hex,
  isoTime,
  parseDuration,
  ProblemError,
  type Clock,
  type NewId,
  type RandomBytes,
} from '@sbox/core';
import type { Labels } from '@sbox/protocol';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { secretDigest } from '../agents/enrolment.ts';
import { refuseConflict } from '../assignments/newcomers-marks.ts';
import { checkEnvironment } from '../environments/environments-service.ts';
import type { JoinTokenRecord } from './join-tokens-repository.ts';
import { refuseDouble } from './servers-service.ts';

export interface JoinTokensDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly randomBytes: RandomBytes;
  /** SHA-256 of the root key. */
  readonly pin: Uint8Array;
}

export interface JoinTokenWrite {
  readonly name?: string | undefined;
  readonly ttl: string;
  /** Of the server that joins with it. */
  readonly labels: Labels;
  readonly environment: string | null;
}

export type JoinTokensService = ReturnType<typeof createJoinTokensService>;

const longestTtlMs = 30 * 86_400_000;

/** Texts that let one server join, and tell it which manager is the right one. */
export function createJoinTokensService({ store, clock, newId, randomBytes, pin }: JoinTokensDeps) {
  return {
    async create({ name, ttl, labels, environment }: JoinTokenWrite) {
      const ttlMs = parseDuration(ttl) ?? 0;
      if (ttlMs < 1000 || ttlMs > longestTtlMs)
        throw new ProblemError('request.invalid', 'body ttl: a join token lives from 1s to 30d');
      const secret = encodeBase62(randomBytes(32));
      // Without the `jt_` of other ids: `_` parts the pieces of the token's text.
      const id = newId('jt').slice(3);
      const record: JoinTokenRecord = {
        id,
        name: name ?? null,
        labels,
        environment,
        secret_sha256: secretDigest(secret),
        created_at: isoTime(clock.now()),
        expires_at: isoTime(clock.now() + ttlMs),
        used_at: null,
        used_keyid: null,
        server_id: null,
      };
      await store.transaction(async (tx) => {
        if (name !== undefined) await refuseDouble(tx, name);
        await checkEnvironment(tx, environment);
        refuseConflict(await tx.assignments.list(), [{ name: name ?? 'who joins with it', labels, environment }]);
        await tx.servers.insertToken(record);
        const { expires_at } = record;
        await tx.events.add('join-token.created', { join_token_id: id, name: record.name, expires_at });
      });
      const token = formatJoinToken({ id, secret, pin });
      return { ...showToken(record), token, pin: `sha256:${hex(pin)}` };
    },
    async list(query: PageQuery) {
      const page = readPage(query, 2);
      const rows = await store.servers.listTokens(page);
      const { items, next_cursor } = toPage(rows, page.limit, ({ created_at, id }) => [created_at, id]);
      return { items: items.map(showToken), next_cursor };
    },
    async remove(id: string): Promise<void> {
      await store.transaction(async (tx) => {
        if (!(await tx.servers.removeToken(id))) throw new ProblemError('join-token.not-found', `join token ${id}`);
        await tx.events.add('join-token.deleted', { join_token_id: id });
      });
    },
  };
}

const showToken = (token: JoinTokenRecord) => omit(token, 'secret_sha256', 'used_keyid');
