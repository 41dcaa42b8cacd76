import { expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { readAdmission } from './admission.ts';
import type { Claims } from './identity-provider.ts';
import { ownPath } from './oidc-routes.ts';

type Rules = Parameters<typeof readAdmission>[1];

const rules: Rules = {
  name_claim: 'preferred_username',
  role_claim: 'groups',
  roles: [
    { value: 'ops', role: 'operator' },
    { value: 'all', role: 'viewer' },
  ],
  default_role: undefined,
  allowed_domains: [],
  allowed_groups: [],
};
const claims: Claims = { sub: 'a', preferred_username: 'anna', groups: ['all', 'ops'] };

const refusal = (given: Claims, change: Partial<Rules> = {}): string => {
  try {
    readAdmission(given, { ...rules, ...change });
    return 'admitted';
  } catch (error) {
    return error instanceof ProblemError ? error.message : String(error);
  }
};

test('the first rule that fits gives the role, wherever the claim stands', () => {
  expect(readAdmission(claims, rules)).toMatchObject({ name: 'anna', role: 'operator', isRoleTold: true });
  const keycloak = { sub: 'a', realm_access: { roles: ['all'] } };
  expect(readAdmission(keycloak, { ...rules, role_claim: 'realm_access.roles' }).role).toBe('viewer');
  expect(
    readAdmission({ sub: 'a', 'https://x/groups': 'ops' }, { ...rules, role_claim: 'https://x/groups' }).role,
  ).toBe('operator');
  for (const odd of [undefined, null, 5, {}, [5, null], [['ops']], 'opsy', '__proto__'])
    expect(refusal({ ...claims, groups: odd })).toBe('nothing in groups that gives a role');
  expect(refusal(claims, { role_claim: '__proto__.constructor' })).toMatch(/^nothing in/);
  expect(readAdmission({ sub: 'a' }, { ...rules, default_role: 'viewer' }).role).toBe('viewer');
  expect(readAdmission(claims, { ...rules, role_claim: undefined })).toMatchObject({
    role: undefined,
    isRoleTold: false,
  });
});

test('a domain counts only with an address that was looked at, a group only as a whole word', () => {
  const domains = { allowed_domains: ['Example.com'] };
  const mail = (email: unknown, email_verified: unknown = true) =>
    refusal({ ...claims, email, email_verified }, domains);
  expect(mail('anna@EXAMPLE.com')).toBe('admitted');
  for (const other of [
    'anna@example.com.evil',
    'anna@sub.example.com',
    'example.com@evil',
    'anna',
    'example.com',
    '@example.com',
    '',
    5,
  ])
    expect(mail(other)).toMatch(/e-mail/);
  for (const unsure of [false, 'true', null, 1]) expect(mail('anna@example.com', unsure)).toMatch(/e-mail/);
  expect(refusal(claims, { allowed_groups: ['ops'] })).toBe('admitted');
  expect(refusal(claims, { allowed_groups: ['op'] })).toMatch(/no group/);
});

test('a name is one that users can have', () => {
  const name = (claim: unknown) => readAdmission({ ...claims, preferred_username: claim }, rules).name;
  expect(['Anna', 'anna@example.com', '-_anna', 'Änna', `a${'b'.repeat(99)}`].map(name)).toEqual([
    'anna',
    'anna-example.com',
    'anna',
    'nna',
    `a${'b'.repeat(63)}`,
  ]);
  expect([undefined, '', '日本', 5, {}].map(name)).toEqual(Array.from({ length: 5 }, () => undefined));
});

test('only own paths are led to', () => {
  expect([undefined, '/', '/a/b?c=d#e', '/a/../b'].map((path) => ownPath(path))).toEqual([
    '/docs',
    '/',
    '/a/b?c=d#e',
    '/b',
  ]);
  const foreign = [
    '',
    'a',
    '//evil.example',
    '/\\evil.example',
    '/a/..//evil.example',
    'https://evil.example',
    '/\t/evil',
    '/a b',
    '/ä',
  ];
  for (const path of foreign) expect(() => ownPath(path)).toThrow('return_to');
});
