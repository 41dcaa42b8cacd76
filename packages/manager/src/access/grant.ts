import { ProblemError } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';
import type { Permission } from '@sbox/protocol';

/** Nobody hands on, or takes away, more than they hold. @throws ProblemError `auth.forbidden` with the first that is missing */
export function refuseBeyond({ name, permissions }: Caller, asked: Iterable<Permission>, what: string): void {
  for (const permission of asked) {
    if (permissions.has(permission)) continue;
    throw new ProblemError('auth.forbidden', `${name} cannot ${what}: it does not hold ${permission} itself`, {
      details: { permission },
    });
  }
}
