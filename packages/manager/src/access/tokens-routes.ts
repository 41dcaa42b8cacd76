import { parseDuration, ProblemError, isoTime } from '@sbox/core';
import type { Handlers } from '@sbox/daemon/serve';
import { permissionsOfRole, type Bounds, type OperatorContract, type Permission } from '@sbox/protocol';
import { readPage, toPage, type PageKey } from '../database/page.ts';
import type { Store } from '../database/store.ts';
import { boundsToGive } from './bounds.ts';
import { refuseBeyond } from './grant.ts';
import { isTokenWithin, readInside } from './reached-things.ts';
import type { TokenRecord } from './tokens-repository.ts';
import { makeToken, type TokensDeps } from './tokens.ts';

export interface TokensHandlersDeps extends Omit<TokensDeps, 'tokens'> {
  readonly store: Store;
}

const longestTtlMs = 3650 * 86_400_000;

/** What people do with tokens. */
export const createTokensHandlers = ({
  store,
  ...world
}: TokensHandlersDeps): Handlers<OperatorContract['tokens']> => ({
  async list({ query }, { caller: { bounds } }) {
    const page = readPage(query, 2);
    const rows = await readInside(page, store.tokens.list, {
      keyOf,
      isInside: bounds && ((token) => isTokenWithin(bounds, token)),
    });
    const { items, next_cursor } = toPage(rows, page.limit, keyOf);
    const names = await store.names.of(items.flatMap(({ created_by }) => created_by ?? []));
    return {
      items: items.map((token) =>
        describe(token, { user: token.owner_name, creator: nameIn(names, token.created_by) }),
      ),
      next_cursor,
    };
  },
  async create({ body: { name, role, permissions = [], ttl, bounds, personal } }, { caller }) {
    const granted = role === undefined ? (permissions as Permission[]) : permissionsOfRole(role);
    refuseBeyond(caller, granted, `hand on the token ${name}`);
    if (personal && caller.user_id === undefined)
      throw new ProblemError('session.none', `${caller.name} is no person, so it can have no personal token`);
    const createdBy = caller.user_id ?? caller.id;
    const issued = makeToken(world, {
      name,
      kind: personal ? 'pat' : 'svc',
      permissions: permissions as Permission[],
      role,
      userId: personal ? caller.user_id : undefined,
      createdBy,
      bounds: boundsToGive(caller, bounds, `hand on the token ${name}`),
      ttlMs: readTtl(ttl),
    });
    await store.transaction(async (tx) => {
      await tx.tokens.insert(issued.record);
      await tx.events.add('token.created', { token_id: issued.record.id, name });
    });
    const creator = nameIn(await store.names.of([createdBy]), createdBy);
    return { ...describe(issued.record, { user: personal ? creator : null, creator }), token: issued.text };
  },
  async remove({ params: { id } }) {
    await store.transaction(async (tx) => {
      const revoked = await tx.tokens.revoke(id, isoTime(world.clock.now()));
      if (!revoked) throw new ProblemError('token.not-found', `there is no token ${id}`);
      await tx.events.add('token.revoked', { token_id: id, name: revoked.name });
    });
  },
});

function readTtl(ttl: string | undefined): number | undefined {
  const ttlMs = ttl === undefined ? undefined : parseDuration(ttl);
  if (ttlMs === undefined || ttlMs <= longestTtlMs) return ttlMs;
  throw new ProblemError('request.invalid', 'body ttl: a token lives for ten years at most; without ttl for ever');
}

const keyOf = ({ created_at, id }: Pick<TokenRecord, 'created_at' | 'id'>): PageKey => [created_at, id];

const nameIn = (names: ReadonlyMap<string, string>, id: string | null): string | null =>
  id === null ? null : (names.get(id) ?? null);

interface TokenNames {
  readonly user: string | null;
  readonly creator: string | null;
}

const describe = (record: Omit<TokenRecord, 'tenant_id'>, { user, creator }: TokenNames) => {
  const { id, name, role, permissions, user_id, created_by, last4, created_at, expires_at, last_used_at } = record;
  const bounds = record.bounds === null ? null : (JSON.parse(record.bounds) as Bounds);
  const words = JSON.parse(permissions) as string[];
  return {
    id,
    name,
    role,
    permissions: words,
    user_id,
    user_name: user,
    created_by,
    created_by_name: creator,
    bounds,
    last4,
    created_at,
    expires_at,
    last_used_at,
  };
};
