import { setTimeout } from 'node:timers/promises';
import { isoTime, ProblemError } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';
import { digestOfSession } from '../../access/sessions.ts';
import { addressKey } from '../../access/rate-limits.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { Guess } from './guesses-repository.ts';
import { makeSecretText, openSession, openToken, type LoginPlace, type OpenDeps, type Opened } from './open-login.ts';
import type { Passwords } from './passwords.ts';
import { hasTotp, makeRecoveryCodes, makeSecret, useCode, type NewSecret } from './totp.ts';
import { changePassword, changeTotp, noPassword } from './users-service.ts';
import type { User } from './users-repository.ts';

export interface LoginDeps extends OpenDeps {
  readonly store: Store;
  readonly passwords: Passwords;
}

export interface Credentials {
  readonly name: string;
  readonly password: string;
  readonly code?: string | undefined;
}

type Proof = Credentials & Pick<LoginPlace, 'remoteAddress'>;
/** What somebody who is in already shows once more. */
type Current = Omit<Proof, 'name' | 'code'>;

export type Login = ReturnType<typeof createLogin>;

const freeFailures = 5;
const firstLockMs = 30_000;
const longestLockMs = 15 * 60_000;
/** After so long without one, failures are forgotten. */
const guessesKeptMs = 86_400_000;
const placesKept = 1000;

/** How long nothing from that place is right after so many failures in a row. */
const lockMs = (failures: number): number =>
  failures < freeFailures ? 0 : Math.min(firstLockMs * 2 ** Math.min(failures - freeFailures, 10), longestLockMs);

/** People come in, and go. Every refusal looks the same, whether the name, the password or the time is wrong. */
export function createLogin(deps: LoginDeps) {
  const { store, clock, randomBytes } = deps;
  const byPassword = { ...deps, secondFactor: hasTotp };
  return {
    openSession: async (given: Credentials, place: LoginPlace): Promise<Opened> =>
      await prove(byPassword, { ...given, ...place }, async (tx, user) => {
        return await openSession(tx, user, deps, { ...place, proven_at: isoTime(clock.now()) });
      }),
    openToken: async (given: Credentials, place: Pick<LoginPlace, 'remoteAddress'>): Promise<Opened> =>
      await prove(byPassword, { ...given, ...place }, async (tx, user) => await openToken(tx, user, deps)),
    /** Who has just shown who they are may do more for a while. @returns the new secret of the session; a token keeps its own */
    async stepUp(caller: Caller, given: Omit<Proof, 'name'>): Promise<string | undefined> {
      const name = await passwordOwner(store, caller);
      return await prove(byPassword, { name, ...given }, async (tx, user) => {
        const secret = makeSecretText(randomBytes);
        const isSession = caller.kind === 'session';
        if (isSession) await tx.sessions.renew(caller.id, digestOfSession(secret), isoTime(clock.now()));
        await tx.events.add('session.proven', { session_id: caller.id, user_id: user.id, name: user.name });
        return isSession ? secret : undefined;
      });
    },
    async close(caller: Caller): Promise<void> {
      const user_id = personOf(caller);
      await store.transaction(async (tx) => {
        const ended = { session_id: caller.id, user_id, name: caller.name };
        if (caller.kind === 'session') await tx.sessions.remove(caller.id);
        else await tx.tokens.revoke(caller.id, isoTime(clock.now()));
        await tx.events.add('session.closed', ended);
      });
    },
    async changeOwnPassword(caller: Caller, current: Current, password: string): Promise<void> {
      const name = await passwordOwner(store, caller);
      const proved = await prove(deps, { name, ...current }, async (_, user) => await Promise.resolve(user));
      // Only now: who does not know the old one costs no second hash.
      const hash = await deps.passwords.hash(password);
      await store.transaction(async (tx) => {
        const user = await tx.users.find(proved.id);
        if (user?.password_hash !== proved.password_hash || user.disabled_at !== null) throw loginFailed();
        await changePassword(tx, user, hash, isoTime(clock.now()));
      });
    },
    /** A secret that is not used yet; asked again, there is another one. */
    async startTotp(caller: Caller, current: Current): Promise<NewSecret> {
      return await prove(deps, { name: await passwordOwner(store, caller), ...current }, async (tx, user) => {
        refuseActive(user);
        const made = makeSecret(user.name, randomBytes);
        await changeTotp(tx, user, { totp_secret: made.secret, totp_last_step: null }, isoTime(clock.now()));
        return made;
      });
    },
    confirmTotp: async (caller: Caller, code: string) =>
      await store.transaction(async (tx) => await confirmTotp(tx, personOf(caller), code, deps)),
  };
}

function personOf({ user_id, name }: Caller): string {
  if (user_id !== undefined) return user_id;
  throw new ProblemError('session.none', `${name} is a token of no person`);
}

/** @returns the id of a person who has a password here. @throws ProblemError `session.none`, `user.no-password` */
async function passwordOwner({ users }: Store, caller: Caller): Promise<string> {
  const id = personOf(caller);
  const user = await users.find(id);
  if (user?.password_hash !== noPassword) return id;
  throw new ProblemError('user.no-password', `${user.name} logs in by an identity provider`);
}

/** The authenticator shows that it has the secret. @returns codes for the day when it is lost */
async function confirmTotp(
  tx: Repositories,
  userId: string,
  code: string,
  { clock, randomBytes }: LoginDeps,
): Promise<{ readonly recovery_codes: string[] }> {
  const user = await tx.users.find(userId);
  if (user) refuseActive(user);
  const used = user?.totp_secret && useCode(user, code, clock.now());
  if (!user || !used) throw loginFailed();
  const { codes, stored } = makeRecoveryCodes(randomBytes);
  await changeTotp(tx, user, { ...used, totp_recovery: stored }, isoTime(clock.now()));
  return { recovery_codes: codes };
}

function refuseActive(user: User): void {
  if (hasTotp(user)) throw new ProblemError('totp.active', `${user.name} logs in with an authenticator already`);
}

interface ProofDeps extends LoginDeps {
  /** Of whom a code is asked as well. */
  readonly secondFactor?: (user: User) => boolean;
}

/**
 * Does something for who knows the password. The person is read again after the slow hash: of many guesses at once only
 * as many count as the lock allows, and a password that was changed in between is the old one.
 * @throws ProblemError `auth.login-failed`, `auth.code-missing` where everything else was right
 */
async function prove<T>(
  { store, passwords, clock, secondFactor = () => false }: ProofDeps,
  { name, password, code, remoteAddress }: Proof,
  run: (tx: Repositories, user: User) => Promise<T>,
): Promise<T> {
  const seen = await store.users.find(name);
  const place = addressKey(remoteAddress);
  const isRight = await passwords.verify(password, seen?.password_hash || undefined, place);
  const verifiedMs = performance.now();
  const done = await store.transaction(async (tx) => {
    const user = seen && (await tx.users.find(seen.id));
    const now = isoTime(clock.now());
    const guess = user && (await tx.guesses.find(user.id, place));
    const isLocked = (guess?.locked_until ?? '') > now;
    if (!user || user.disabled_at !== null || isLocked) return undefined;
    const isKnown = isRight && user.password_hash === seen.password_hash;
    if (isKnown && secondFactor(user) && code === undefined)
      throw new ProblemError('auth.code-missing', 'the password is right; a code is needed as well');
    const used = secondFactor(user) ? useCode(user, code ?? '', clock.now()) : {};
    if (isKnown && used) {
      if (Object.keys(used).length > 0) await tx.users.update(user.id, used);
      if (guess) await tx.guesses.forget(user.id, place);
      return { value: await run(tx, { ...user, ...used }) };
    }
    await countFailure(tx, user, { place, before: guess, nowMs: clock.now() });
    return undefined;
  });
  if (!done) {
    await evenOut(verifiedMs);
    throw loginFailed();
  }
  passwords.remember(place);
  return done.value;
}

/**
 * A failure of somebody who is known is written down, one of a stranger is not. Both are answered at the same steps of
 * time after the hash, so that the answer does not tell which it was. Of real time: it is what a caller measures.
 */
const evenMs = 25;
const evenOut = async (sinceMs: number): Promise<void> =>
  await setTimeout(evenMs - ((performance.now() - sinceMs) % evenMs));

const loginFailed = (): ProblemError =>
  new ProblemError(
    'auth.login-failed',
    'the name, the password or the code is wrong, or the user is disabled, or locked at this address',
  );

interface Failure {
  readonly place: string;
  readonly before: Guess | undefined;
  readonly nowMs: number;
}

/**
 * Locks the place that guesses, not the person: who knows a name must not be able to keep its owner out. Not counted
 * while the place is locked, so that who waits long enough gets in.
 */
async function countFailure({ guesses, events }: Repositories, user: User, failure: Failure): Promise<void> {
  const { place, before, nowMs } = failure;
  const since = isoTime(nowMs - guessesKeptMs);
  const failures = (before && before.guessed_at > since ? before.failures : 0) + 1;
  const delayMs = lockMs(failures);
  const locked_until = delayMs === 0 ? null : isoTime(nowMs + delayMs);
  await guesses.put({ user_id: user.id, place, failures, locked_until, guessed_at: isoTime(nowMs) });
  await guesses.removeBeyond(user.id, placesKept, since);
  await events.add('session.refused', { user_id: user.id, name: user.name, failed_attempts: failures });
}
