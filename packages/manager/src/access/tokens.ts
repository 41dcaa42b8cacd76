import { timingSafeEqual } from 'node:crypto';
import {
  encodeBase62,
  formatAccessToken,
  hex,
  isoTime,
  parseAccessToken,
  ProblemError,
  type AccessToken,
  type Clock,
  type NewId,
  type RandomBytes,
} from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { Caller } from '@sbox/daemon/serve';
import { narrow, permissionNames, permissionsOfRole, readBounds, type Permission, type RoleName } from '@sbox/protocol';
import type { OwnedToken, TokenRecord, TokensRepository } from './tokens-repository.ts';

/** `admin` holds every permission, also those of later versions. */
type Grant = Permission | 'admin';

export interface NewTokenOptions {
  readonly name: string;
  readonly kind: AccessToken['kind'];
  /** Empty where there is a role. */
  readonly permissions?: readonly Grant[];
  readonly role?: RoleName | undefined;
  /** Who makes it: a person, or a token. */
  readonly createdBy?: string | undefined;
  /** The person it belongs to. */
  readonly userId?: string | undefined;
  /** JSON; it is held to them beside those of its person. */
  readonly bounds?: string | null | undefined;
  /** Without it the token does not expire. */
  readonly ttlMs?: number | undefined;
}

export interface IssuedToken {
  /** Shown once; only its digest is kept. */
  readonly text: string;
  readonly record: Omit<TokenRecord, 'tenant_id'>;
}

export interface TokensDeps {
  readonly tokens: TokensRepository;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly randomBytes: RandomBytes;
}

const idPrefix = 'tok_';
const touchEveryMs = 60_000;

/** A token that is not stored yet. */
export function makeToken(
  { clock, newId, randomBytes }: Omit<TokensDeps, 'tokens'>,
  { name, kind, permissions = [], role, userId, createdBy, bounds = null, ttlMs }: NewTokenOptions,
): IssuedToken {
  const id = newId('tok');
  const secret = encodeBase62(randomBytes(32));
  const now = clock.now();
  return {
    // The parts of the text are split at `_`, so the prefix of the id stays out of it.
    text: formatAccessToken({ kind, id: id.slice(idPrefix.length), secret }),
    record: {
      id,
      kind,
      name,
      secret_sha256: digestOfSecret(secret).toString('hex'),
      last4: secret.slice(-4),
      permissions: JSON.stringify(permissions),
      role: role ?? null,
      user_id: userId ?? null,
      created_by: createdBy ?? null,
      bounds,
      created_at: isoTime(now),
      expires_at: ttlMs === undefined ? null : isoTime(now + ttlMs),
      last_used_at: null,
      revoked_at: null,
    },
  };
}

/** The permissions of a stored token; words of a newer version of sbox are left out. */
function grantsOf({ permissions, role }: Pick<TokenRecord, 'permissions' | 'role'>): ReadonlySet<Permission> {
  if (role !== null) return permissionsOfRole(role);
  const words = JSON.parse(permissions) as readonly string[];
  return new Set(permissionNames.filter((permission) => words.includes(permission) || words.includes('admin')));
}

/** Whether it may do everything, whatever becomes of a person. */
export const isAdmin = ({ permissions, role, user_id, bounds }: TokenRecord): boolean =>
  user_id === null &&
  bounds === null &&
  (role === 'admin' || (JSON.parse(permissions) as readonly string[]).includes('admin'));

/** A person's token opens what it holds and the person may still do. @throws ProblemError `auth.invalid` */
function permissionsOf(record: OwnedToken): ReadonlySet<Permission> {
  const granted = grantsOf(record);
  if (record.user_id === null) return granted;
  if (record.owner_role === null || record.owner_disabled_at !== null)
    throw invalid('the person whose token this is may not come in any more');
  const held = permissionsOfRole(record.owner_role);
  return new Set([...granted].filter((permission) => held.has(permission)));
}

/** Who holds the token of an Authorization header. @throws ProblemError `auth.invalid` */
export async function findBearer(authorization: string, { tokens, clock }: TokensDeps): Promise<Caller> {
  const [, text] = /^Bearer +(\S{1,256})$/i.exec(authorization) ?? [];
  if (text === undefined) throw invalid('Authorization is not Bearer with a token');
  const given = parseAccessToken(text);
  if (!given) throw invalid('the text is not a whole token: its checksum does not fit');
  const record = await tokens.find(`${idPrefix}${given.id}`);
  // An unknown id takes as long as a wrong secret.
  const isRight = timingSafeEqual(digestOfSecret(given.secret), storedDigest(record));
  if (!record || !isRight || record.kind !== given.kind) throw invalid('there is no such token');
  if (record.revoked_at !== null) throw invalid('the token was revoked');
  const permissions = permissionsOf(record);
  const nowMs = clock.now();
  const now = isoTime(nowMs);
  if (record.expires_at !== null && record.expires_at <= now) throw invalid('the token has expired');
  if (record.last_used_at === null || Date.parse(record.last_used_at) <= nowMs - touchEveryMs)
    await tokens.touch(record.id, now);
  const bounds = narrow(readBounds(record.bounds), readBounds(record.owner_bounds));
  const caller = { kind: 'token', id: record.id, name: record.owner_name ?? record.name, permissions, bounds } as const;
  return record.user_id === null ? caller : { ...caller, user_id: record.user_id };
}

const invalid = (detail: string): ProblemError => new ProblemError('auth.invalid', detail);
const digestOfSecret = (secret: string): Buffer => Buffer.from(sha256(Buffer.from(secret)));
const noDigest = hex(new Uint8Array(32));
const storedDigest = (record: TokenRecord | undefined): Buffer => Buffer.from(record?.secret_sha256 ?? noDigest, 'hex');
