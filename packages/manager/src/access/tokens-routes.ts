import { parseDuration, ProblemError, isoTime, type Clock } from '@sbox/core';
import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract, Permission } from '@sbox/protocol';
import { readPage, toPage } from '../database/page.ts';
import type { Access } from './access.ts';
import type { TokenRecord, TokensRepository } from './tokens-repository.ts';

export interface TokensHandlersDeps {
  readonly access: Pick<Access, 'issue'>;
  readonly tokens: TokensRepository;
  readonly clock: Clock;
}

const longestTtlMs = 3650 * 86_400_000;

/** What people do with tokens. */
export const createTokensHandlers = ({
  access,
  tokens,
  clock,
}: TokensHandlersDeps): Handlers<OperatorContract['tokens']> => ({
  async list({ query }) {
    const page = readPage(query, 2);
    const rows = await tokens.list(page);
    const { items, next_cursor } = toPage(rows, page.limit, ({ created_at, id }) => [created_at, id]);
    return { items: items.map(describe), next_cursor };
  },
  async create({ body }, { caller }) {
    const permissions = body.permissions as Permission[];
    const beyond = permissions.find((permission) => !caller.permissions.has(permission));
    if (beyond !== undefined)
      throw new ProblemError('auth.forbidden', `${caller.name} cannot hand on ${beyond}, which it does not hold`, {
        details: { permission: beyond },
      });
    const ttlMs = body.ttl === undefined ? undefined : parseDuration(body.ttl);
    if (ttlMs !== undefined && ttlMs > longestTtlMs)
      throw new ProblemError('request.invalid', 'body ttl: a token lives for ten years at most; without ttl for ever');
    const { text, record } = await access.issue({ name: body.name, kind: 'svc', permissions, ttlMs });
    return { ...describe(record), token: text };
  },
  async remove({ params }) {
    if (await tokens.revoke(params.id, isoTime(clock.now()))) return;
    throw new ProblemError('token.not-found', `there is no token ${params.id}`);
  },
});

const describe = ({ id, name, permissions, created_at, expires_at }: Omit<TokenRecord, 'tenant_id'>) => ({
  id,
  name,
  permissions: JSON.parse(permissions) as string[],
  created_at,
  expires_at,
});
