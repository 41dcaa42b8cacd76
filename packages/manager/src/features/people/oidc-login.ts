import { isoTime, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { OidcSettings } from '../../settings.ts';
import { digestOfSession } from '../../access/sessions.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { notAdmitted, readAdmission, type Admission } from './admission.ts';
import type { Claims, Expected, IdentityProvider } from './identity-provider.ts';
import { createOneTime } from './one-time.ts';
import { makeSecretText, openSession, openToken, type LoginPlace, type OpenDeps, type Opened } from './open-login.ts';
import { createSeal } from './sealed-cookie.ts';
import { insertUser, isLastAdmin, newUser, noPassword } from './users-service.ts';
import type { User } from './users-repository.ts';

export interface OidcLoginDeps extends OpenDeps {
  readonly store: Store;
  readonly settings: OidcSettings;
  readonly provider: IdentityProvider;
}

/** What a browser was sent away with. */
interface Begun extends Expected {
  readonly returnTo: string;
  /** Of a program that waits for a code. */
  readonly challenge: string | undefined;
  readonly port: number | undefined;
}

export interface Begin {
  readonly redirectUri: string;
  readonly returnTo: string;
  readonly fresh: boolean;
  readonly challenge?: string | undefined;
  readonly port?: number | undefined;
}

/** How a login ended: in a session of the browser, or in a code for the program that began it. */
export type Ended =
  | { readonly kind: 'session'; readonly opened: Opened; readonly returnTo: string }
  | { readonly kind: 'code'; readonly code: string; readonly port: number | undefined };

export type OidcLogin = ReturnType<typeof createOidcLogin>;

/** From the way to the provider to the way back. */
export const beginMs = 600_000;
/** From the way back to the program that asks. */
const codeMs = 120_000;
const mostKept = 10_000;

/** People come in by an identity provider. Who they are is (issuer, subject), and nothing else. */
export function createOidcLogin(deps: OidcLoginDeps) {
  const { store, settings, provider, clock, randomBytes } = deps;
  const seal = createSeal(randomBytes, clock, beginMs);
  const used = createOneTime<true>(clock, { most: mostKept, ms: beginMs });
  const codes = createOneTime<{ userId: string; challenge: string }>(clock, { most: 1000, ms: codeMs });

  return {
    /** @returns where the browser goes, and what it has to bring back */
    async begin({
      fresh,
      redirectUri,
      returnTo,
      challenge,
      port,
    }: Begin): Promise<{ location: string; sealed: string }> {
      const [state, nonce, verifier] = [randomBytes, randomBytes, randomBytes].map(makeSecretText) as [
        string,
        string,
        string,
      ];
      const begun: Begun = { state, nonce, verifier, redirectUri, returnTo, fresh, challenge, port };
      return { location: await provider.authorizationUrl(begun), sealed: seal.close(begun) };
    },
    async finish(
      {
        sealed,
        query,
        oldSession,
      }: { sealed: string | undefined; query: URLSearchParams; oldSession: string | undefined },
      place: LoginPlace,
    ): Promise<Ended> {
      const begun = sealed === undefined ? undefined : (seal.open(sealed) as Begun | undefined);
      if (!begun) throw expired('this browser has no login that is under way');
      if (query.get('state') !== begun.state) throw expired('this is the answer to another login');
      // Before the provider is asked: of two that come at once, one is too late.
      if (used.take(begun.state)) {
        used.put(begun.state, true);
        throw expired('this login was ended already');
      }
      used.put(begun.state, true);
      const claims = await provider.redeem(query, begun);
      const admission = await admit(deps, claims);
      return await store.transaction(async (tx) => {
        const user = await findPerson(tx, deps, { subject: claims.sub, admission });
        if (begun.challenge !== undefined) {
          const code = makeSecretText(randomBytes);
          codes.put(code, { userId: user.id, challenge: begun.challenge });
          return { kind: 'code', code, port: begun.port };
        }
        await endOld(tx, user, oldSession);
        const opened = await openSession(tx, user, deps, { ...place, proven_at: provenAt(claims) });
        return { kind: 'session', opened, returnTo: begun.returnTo };
      });
    },
    async redeem(code: string, verifier: string): Promise<Opened> {
      const found = codes.take(code);
      if (!found || found.challenge !== Buffer.from(sha256(Buffer.from(verifier))).toString('base64url'))
        throw expired('the code is not good, or not any more');
      return await store.transaction(async (tx) => {
        const user = await tx.users.find(found.userId);
        if (!user || user.disabled_at !== null) throw notAdmitted('the user may not come in any more');
        return await openToken(tx, user, deps);
      });
    },
    describe: (returnTo: string) => ({ name: settings.name, logout: provider.logoutUrl(returnTo) ?? null }),
  };
}

const expired = (why: string): ProblemError => new ProblemError('oidc.expired', why);

/** A provider may know somebody from long ago; only it can say when they showed themselves. */
const provenAt = ({ auth_time }: Claims): string | null =>
  typeof auth_time === 'number' ? isoTime(auth_time * 1000) : null;

/** Who shows themselves once more has a new session instead of the old one. */
async function endOld(tx: Repositories, user: User, secret: string | undefined): Promise<void> {
  const old = secret === undefined ? undefined : await tx.sessions.findBySecret(digestOfSession(secret));
  if (old?.user_id === user.id) await tx.sessions.remove(old.id);
}

/** Whom the provider lets in no longer does not stay by an old session or token either. */
async function admit({ store, settings, clock }: OidcLoginDeps, claims: Claims): Promise<Admission> {
  try {
    return readAdmission(claims, settings);
  } catch (error) {
    await store.transaction(async (tx) => {
      const identity = await tx.identities.find(settings.issuer, claims.sub);
      const user = identity && (await tx.users.find(identity.user_id));
      if (!user) return;
      await tx.sessions.removeOf(user.id);
      await tx.tokens.revokeOf(user.id, isoTime(clock.now()));
      await tx.events.add('user.changed', { ...told(user), changed: ['sessions', 'tokens'] });
    });
    throw error;
  }
}

interface Person {
  readonly subject: string;
  readonly admission: Admission;
}

/** The user that somebody is, as they are now at the provider. */
async function findPerson(tx: Repositories, deps: OidcLoginDeps, person: Person): Promise<User> {
  const { issuer } = deps.settings;
  const identity = await tx.identities.find(issuer, person.subject);
  const user = identity && (await tx.users.find(identity.user_id));
  if (!user) return await makePerson(tx, deps, person);
  if (user.disabled_at !== null) throw notAdmitted('the user is disabled');
  const { role, isRoleTold } = person.admission;
  if (!isRoleTold || role === undefined || role === user.role) return user;
  // The last one who can give roles here keeps theirs, whatever happened to it elsewhere.
  if (await isLastAdmin(tx, user)) return user;
  const changed = { role, revision: user.revision + 1, updated_at: isoTime(deps.clock.now()) };
  await tx.users.update(user.id, changed);
  await tx.sessions.removeOf(user.id);
  await tx.events.add('user.changed', { ...told({ ...user, role }), changed: ['role'] });
  return { ...user, ...changed };
}

async function makePerson(
  tx: Repositories,
  { settings: { auto_create, issuer, name_claim }, newId, clock }: OidcLoginDeps,
  { subject, admission: { name, display_name, role } }: Person,
): Promise<User> {
  if (!auto_create) throw notAdmitted('there is no user for you');
  if (role === undefined) throw notAdmitted('there is no role for new users');
  if (name === undefined) throw notAdmitted(`${name_claim} holds no name`);
  if (await tx.users.find(name)) throw new ProblemError('oidc.name-taken', `user ${name} exists, and is not you`);
  const at = isoTime(clock.now());
  const user = newUser({ id: newId('usr'), name, display_name, password_hash: noPassword, role, at });
  await insertUser(tx, user, { issuer, subject });
  return user;
}

const told = ({ id, name, role }: User) => ({ user_id: id, name, role });
