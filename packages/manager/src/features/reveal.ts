import { ProblemError } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';

/** Whether secrets may be shown. @throws ProblemError `auth.forbidden` when they were asked for and may not be. */
export function mayReveal(reveal: boolean, { permissions }: Caller): boolean {
  if (reveal && !permissions.has('secrets:reveal')) {
    throw new ProblemError('auth.forbidden', 'revealing secrets needs the permission secrets:reveal', {
      details: { permission: 'secrets:reveal' },
    });
  }
  return reveal;
}
