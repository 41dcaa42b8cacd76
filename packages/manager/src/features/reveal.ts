import { ProblemError } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';
import { refuseUnproven } from '../access/step-up.ts';

/** Whether secrets may be shown. @throws ProblemError `auth.forbidden`, `auth.step-up-required` when they were asked for and may not be. */
export function mayReveal(reveal: boolean, caller: Caller): boolean {
  if (reveal && !caller.permissions.has('secrets:reveal')) {
    throw new ProblemError('auth.forbidden', 'revealing secrets needs the permission secrets:reveal', {
      details: { permission: 'secrets:reveal' },
    });
  }
  if (reveal) refuseUnproven(caller);
  return reveal;
}
