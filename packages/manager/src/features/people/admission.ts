import { ProblemError } from '@sbox/core';
import type { RoleName } from '@sbox/protocol';
import type { OidcSettings } from '../../settings.ts';
import type { Claims } from './identity-provider.ts';

/** What the claims of a person come to here. */
export interface Admission {
  /** What a new user is called; undefined where the claim cannot be a name. */
  readonly name: string | undefined;
  readonly display_name: string;
  readonly role: RoleName | undefined;
  /** Whether the role is that of the claims, whatever it was before. */
  readonly isRoleTold: boolean;
}

type Rules = Pick<
  OidcSettings,
  'name_claim' | 'role_claim' | 'roles' | 'default_role' | 'allowed_domains' | 'allowed_groups'
>;

const longestName = 64;

/** Reads claims by the rules of the settings. @throws ProblemError `oidc.not-admitted` */
export function readAdmission(claims: Claims, rules: Rules): Admission {
  const { allowed_domains: domains, allowed_groups: groups, role_claim } = rules;
  if (domains.length > 0 && !domains.some((domain) => domain.toLowerCase() === domainOf(claims)))
    throw notAdmitted('no verified e-mail address of a domain that may come in');
  const values = wordsOf(claims, role_claim ?? 'groups');
  if (groups.length > 0 && !groups.some((group) => values.has(group))) throw notAdmitted('no group that may come in');
  const told = role_claim === undefined ? undefined : rules.roles.find(({ value }) => values.has(value))?.role;
  const role = told ?? rules.default_role;
  if (role_claim !== undefined && role === undefined) throw notAdmitted(`nothing in ${role_claim} that gives a role`);
  return {
    name: nameOf(claims[rules.name_claim]),
    display_name: typeof claims['name'] === 'string' ? claims['name'].slice(0, 200) : '',
    role,
    isRoleTold: role_claim !== undefined,
  };
}

export const notAdmitted = (why: string): ProblemError => new ProblemError('oidc.not-admitted', why);

/** An address that nobody looked at may be anybody's. */
function domainOf({ email, email_verified }: Claims): string | undefined {
  if (typeof email !== 'string' || email_verified !== true) return undefined;
  const at = email.lastIndexOf('@');
  return at < 1 ? undefined : email.slice(at + 1).toLowerCase();
}

/** A claim by its name, or by the way to it through objects, as Keycloak's `realm_access.roles`. */
function wordsOf(claims: Claims, name: string): ReadonlySet<string> {
  const found = Object.hasOwn(claims, name)
    ? claims[name]
    : name
        .split('.')
        .reduce<unknown>(
          (at, key) =>
            typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Claims)[key] : undefined,
          claims,
        );
  return new Set([found].flat().filter((word) => typeof word === 'string'));
}

/** In small letters, so that two names do not look alike; an e-mail address becomes `anna-example.com`. */
function nameOf(claim: unknown): string | undefined {
  if (typeof claim !== 'string') return undefined;
  const name = claim
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, longestName);
  return name === '' ? undefined : name;
}
