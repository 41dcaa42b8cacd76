import { isoTime, ProblemError, type Clock } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { Caller } from '@sbox/daemon/serve';
import { permissionsOfRole, readBounds, stepUpMs } from '@sbox/protocol';
import type { OwnedSession, SessionsRepository, SessionTimes } from '../features/people/sessions-repository.ts';
import type { Authenticator } from './access.ts';
import { readSessionCookie, refuseForeignOrigin } from './session-cookie.ts';

const idleMs = 30 * 60_000;
/** However much it is used. */
export const sessionMs = 12 * 3_600_000;
const touchEveryMs = 60_000;

export interface SessionAuthenticatorDeps {
  readonly sessions: Pick<SessionsRepository, 'findBySecret' | 'touch'>;
  readonly clock: Clock;
  /** Networks of proxies in front. */
  readonly trustedProxies: readonly string[];
}

/** The session of a cookie; requests that carry a token as well are judged by that alone. */
export const createSessionAuthenticator =
  ({ sessions, clock, trustedProxies }: SessionAuthenticatorDeps): Authenticator =>
  async (request) => {
    const secret = readSessionCookie(request, trustedProxies);
    if (secret === undefined || request.headers['authorization'] !== undefined) return undefined;
    const session = await sessions.findBySecret(digestOfSession(secret));
    const nowMs = clock.now();
    if (!session || isOver(session, sessionTimes(nowMs)))
      throw new ProblemError('auth.session-ended', 'the session is over, or was ended');
    refuseForeignOrigin(request, trustedProxies);
    if (Date.parse(session.seen_at) <= nowMs - touchEveryMs) await sessions.touch(session.id, isoTime(nowMs));
    const { id, name, user_id, role } = session;
    const bounds = readBounds(session.bounds);
    const unproven = howToProve(session, nowMs);
    const caller = { kind: 'session', id, name, user_id, permissions: permissionsOfRole(role), bounds } as const;
    return unproven === undefined ? caller : { ...caller, unproven };
  };

/** How the person of a session shows once more who they are; undefined as long as the last proof is good. */
function howToProve({ proven_at, password_hash, totp_recovery }: OwnedSession, nowMs: number): Caller['unproven'] {
  if (proven_at !== null && Date.parse(proven_at) > nowMs - stepUpMs) return undefined;
  if (password_hash === '') return 'oidc';
  return totp_recovery === null ? 'password' : 'password-and-code';
}

/** What is stored of the secret in a cookie: 256 random bits need no slow hash. */
export const digestOfSession = (secret: string): string => Buffer.from(sha256(Buffer.from(secret))).toString('hex');

export const sessionTimes = (nowMs: number): SessionTimes => ({
  now: isoTime(nowMs),
  idleSince: isoTime(nowMs - idleMs),
});

const isOver = ({ expires_at, seen_at, disabled_at }: OwnedSession, { now, idleSince }: SessionTimes): boolean =>
  disabled_at !== null || expires_at <= now || seen_at <= idleSince;
