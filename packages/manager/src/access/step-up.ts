import { ProblemError } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';

/** @throws ProblemError `auth.step-up-required` for a session whose person has not shown themselves lately */
export function refuseUnproven({ name, unproven }: Caller): void {
  if (unproven === undefined) return;
  const address = unproven === 'oidc' ? '/api/v1/session/oidc/start?fresh=true' : '/api/v1/session/step-up';
  throw new ProblemError('auth.step-up-required', `${name} has not shown for ten minutes who they are`, {
    details: { how: unproven, address },
  });
}
