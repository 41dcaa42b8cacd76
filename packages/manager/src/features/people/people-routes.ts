import type { Caller, Handlers } from '@sbox/daemon/serve';
import { permissionsOfRole, readBounds, roles, showBounds, type OperatorContract } from '@sbox/protocol';
import { endedCookie, refuseForeignLogin, sessionCookie } from '../../access/session-cookie.ts';
import { sessionMs } from '../../access/sessions.ts';
import type { Login } from './login.ts';
import type { Opened } from './open-login.ts';
import type { UsersService } from './users-service.ts';

export const createUsersRoutes = (service: UsersService): Handlers<OperatorContract['users']> => ({
  list: async ({ query }) => await service.list(query),
  create: async ({ body }, { caller }) => await service.create(body, caller),
  get: async ({ params }) => await service.get(params.id),
  update: async ({ params, headers, body }, { caller }) =>
    await service.update(params.id, headers['if-match'], body, caller),
  setPassword: async ({ params, body }, { caller }) => await service.setPassword(params.id, body.password, caller),
  removeTotp: async ({ params }, { caller }) => await service.removeTotp(params.id, caller),
  remove: async ({ params, headers }) => await service.remove(params.id, headers['if-match']),
});

export const createRolesRoutes = (): Handlers<OperatorContract['roles']> => ({
  list: async () => {
    const items = Object.entries(roles).map(([name, role]) => ({ name, ...role }));
    return await Promise.resolve({ items });
  },
});

/** Coming in and going out; `trustedProxies` tell which address the caller used. */
export const createSessionRoutes = (
  login: Login,
  trustedProxies: readonly string[],
): Omit<Handlers<OperatorContract['session']>, 'oidc'> => ({
  async open({ body: { as, ...given } }, { request, setHeader }) {
    refuseForeignLogin(request, trustedProxies);
    const place = { remoteAddress: request.remoteAddress, userAgent: request.headers['user-agent'] ?? '' };
    // Before anything is stored: where no cookie can be given there is no session.
    if (as === 'cookie') sessionCookie(request, trustedProxies, '', 0);
    const opened = as === 'token' ? await login.openToken(given, place) : await login.openSession(given, place);
    if (as === 'token') return { ...describeOpened('token', opened), token: opened.secret };
    setHeader('set-cookie', sessionCookie(request, trustedProxies, opened.secret, cookieSeconds));
    return describeOpened('session', opened);
  },
  async stepUp({ body }, { caller, request, setHeader }) {
    const secret = await login.stepUp(caller, { ...body, remoteAddress: request.remoteAddress });
    // The session has been there for a while; the cookie may live on as long as one that begins now.
    if (secret !== undefined) setHeader('set-cookie', sessionCookie(request, trustedProxies, secret, cookieSeconds));
    return describe(caller);
  },
  get: async (_, { caller }) => await Promise.resolve(describe(caller)),
  async setPassword({ body }, { caller, request, setHeader }) {
    const current = { password: body.current, remoteAddress: request.remoteAddress };
    await login.changeOwnPassword(caller, current, body.password);
    if (caller.kind === 'session') setHeader('set-cookie', endedCookie(request, trustedProxies));
  },
  startTotp: async ({ body }, { caller, request: { remoteAddress } }) =>
    await login.startTotp(caller, { password: body.current, remoteAddress }),
  confirmTotp: async ({ body }, { caller }) => await login.confirmTotp(caller, body.code),
  async close(_, { caller, request, setHeader }) {
    await login.close(caller);
    if (caller.kind === 'session') setHeader('set-cookie', endedCookie(request, trustedProxies));
  },
});

const cookieSeconds = Math.floor(sessionMs / 1000);

/** Who has just come in. */
export const describeOpened = (kind: 'token' | 'session', { id, user, expires_at }: Opened) => {
  const permissions = permissionsOfRole(user.role);
  const caller = { kind, id, name: user.name, user_id: user.id, permissions, bounds: readBounds(user.bounds) };
  return { ...describe(caller), expires_at };
};

const describe = ({
  id,
  kind,
  name,
  user_id = null,
  permissions,
  bounds,
}: Omit<Caller, 'user_id'> & { user_id?: string | null }) => ({
  id,
  kind: kind === 'session' ? ('session' as const) : ('token' as const),
  name,
  user_id,
  permissions: [...permissions],
  bounds: bounds === undefined ? null : showBounds(bounds),
});
