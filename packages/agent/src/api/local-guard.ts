import { ProblemError, type Clock } from '@sbox/core';
import { equalSecrets } from '@sbox/daemon/keys';
import { anonymous, createGatekeeper, type Caller, type Gatekeeper } from '@sbox/daemon/serve';
import { permissionNames } from '@sbox/protocol';
import type { AgentSettings } from '../settings/schema.ts';

const everything: ReadonlySet<(typeof permissionNames)[number]> = new Set(permissionNames);
const local: Caller = { kind: 'local', id: 'local', name: 'local', permissions: everything };
const policy = 'local';
const windowS = 60;
const windowMs = windowS * 1000;

/** Whoever may open the socket file may do everything: the permissions of the file are the check. */
export const createSocketGatekeeper = (): Gatekeeper =>
  createGatekeeper({ authenticate: async () => await Promise.resolve(local) });

/** Over TCP: the token, unless the operator turned it off on loopback, and so many requests a minute. */
export function createTcpGatekeeper({ security }: AgentSettings['api'], clock: Clock): Gatekeeper {
  const { rate_limit: limit } = security;
  let windowStartMs = clock.monotonic();
  let count = 0;
  return createGatekeeper({
    async admit() {
      if (clock.monotonic() - windowStartMs >= windowMs) {
        windowStartMs = clock.monotonic();
        count = 0;
      }
      if (!limit.enabled) return undefined;
      count += 1;
      const quota = limit.requests_per_minute;
      const resetS = Math.ceil((windowStartMs + windowMs - clock.monotonic()) / 1000);
      if (count <= quota) return { policy, quota, windowS, remaining: quota - count, resetS };
      throw new ProblemError('request.rate-limited', `more than ${quota} requests a minute`, {
        details: { policy, limit: quota, window_s: windowS, retry_after_s: resetS },
      });
    },
    async authenticate({ permission }, { headers }) {
      if (permission === 'public') return anonymous;
      refuseStranger(security, headers['authorization']);
      return local;
    },
  });
}

/** @throws ProblemError `auth.missing`, `auth.invalid` */
function refuseStranger(
  { auth_enabled: isAsked, auth_token: token }: AgentSettings['api']['security'],
  authorization: string | undefined,
): void {
  if (!isAsked) return;
  const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
  if (given === undefined) throw new ProblemError('auth.missing', 'the local API asks for the token');
  if (token === undefined || !equalSecrets(given, token))
    throw new ProblemError('auth.invalid', 'the token is another one');
}

const loopback = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;
export const isSocketPath = (host: string): boolean => host.startsWith('/');

/** @throws ProblemError `settings.unsafe` when the API would be open to others, or locked to everybody. */
export function refuseUnsafeApi({ host, security }: AgentSettings['api']): void {
  const isLocal = isSocketPath(host) || loopback.test(host);
  if (!security.auth_enabled && !isLocal) {
    throw new ProblemError(
      'settings.unsafe',
      `api.security.auth_enabled is false, but ${host} is no loopback address`,
      {
        fix: 'Set api.security.auth_token, or listen on 127.0.0.1 or on a socket file.',
      },
    );
  }
  if (security.auth_enabled && security.auth_token === undefined && !isSocketPath(host)) {
    throw new ProblemError('settings.invalid', 'api.enabled needs api.security.auth_token', {
      fix: 'Set api.security.auth_token (16 characters or more), or api.host to the path of a socket file.',
    });
  }
}
