import { isoTime, type Clock, type NewId, type RandomBytes } from '@sbox/core';
import type { RoleName } from '@sbox/protocol';
import { digestOfSession, sessionMs } from '../../access/sessions.ts';
import { makeToken } from '../../access/tokens.ts';
import type { Repositories } from '../../database/store.ts';
import type { User } from './users-repository.ts';

export interface OpenDeps {
  readonly clock: Clock;
  readonly newId: NewId;
  readonly randomBytes: RandomBytes;
}

/** Where somebody logs in from, for the list of sessions. */
export interface LoginPlace {
  readonly remoteAddress: string;
  readonly userAgent: string;
}

export interface Opened {
  readonly id: string;
  readonly user: User;
  readonly expires_at: string;
  /** What the caller shows from now on: the text of a token, or the secret of a session. */
  readonly secret: string;
}

const sessionsKept = 50;
/** Tokens that logins made; who has more uses few of them. */
const loginTokensKept = 32;

/** A session for somebody who has shown who they are, at `proven_at`; null where that is not known. */
export async function openSession(
  tx: Repositories,
  user: User,
  { clock, newId, randomBytes }: OpenDeps,
  { remoteAddress, userAgent, proven_at }: LoginPlace & { readonly proven_at: string | null },
): Promise<Opened> {
  const secret = makeSecretText(randomBytes);
  const [id, created_at] = [newId('ses'), isoTime(clock.now())];
  const expires_at = isoTime(clock.now() + sessionMs);
  await tx.sessions.insert({
    id,
    user_id: user.id,
    created_at,
    seen_at: created_at,
    expires_at,
    secret_sha256: digestOfSession(secret),
    remote_address: remoteAddress,
    user_agent: userAgent.slice(0, 120),
    proven_at,
  });
  await tx.sessions.removeBeyond(user.id, sessionsKept);
  return await noted(tx, clock, { id, user, expires_at, secret });
}

/** A personal token instead of a session, for programs that people use; it holds the role that the person has now. */
export async function openToken(tx: Repositories, user: User, deps: OpenDeps): Promise<Opened> {
  const { text, record } = makeToken(deps, {
    name: loginTokenName(user),
    kind: 'pat',
    role: user.role as RoleName,
    userId: user.id,
    createdBy: user.id,
    ttlMs: sessionMs,
  });
  await tx.tokens.insert(record);
  await tx.tokens.revokeBeyond(user.id, {
    name: record.name,
    newest: record.id,
    kept: loginTokensKept,
    now: record.created_at,
  });
  return await noted(tx, deps.clock, { id: record.id, user, expires_at: record.expires_at ?? '', secret: text });
}

async function noted(tx: Repositories, clock: Clock, opened: Opened): Promise<Opened> {
  const { id, user } = opened;
  await tx.users.update(user.id, { seen_at: isoTime(clock.now()) });
  await tx.events.add('session.opened', { session_id: id, user_id: user.id, name: user.name });
  return opened;
}

/** 256 random bits. */
export const makeSecretText = (randomBytes: RandomBytes): string => Buffer.from(randomBytes(32)).toString('base64url');

const loginTokenName = ({ name }: User): string => `login-${name}`.slice(0, 64);
