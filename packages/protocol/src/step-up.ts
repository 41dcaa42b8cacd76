import type { Route } from './route.ts';

/**
 * What a session may do only for ten minutes after its person has shown who they are: acts that give somebody power for
 * longer than the session lives, or that take secrets away. Tokens are not asked: nobody sits in front of a program.
 */
export const stepUpOperations: ReadonlySet<string> = new Set([
  'createUser',
  'updateUser',
  'setUserPassword',
  'deleteUserTotp',
  'deleteUser',
  'createToken',
  'createJoinToken',
  // A program that servers run.
  'addEngine',
  'exportConfig',
  'getServerBundle',
]);

/** What reads ask with to see secrets; the same holds for them. */
export const revealParameter = 'reveal';

/** Whether a session is asked; `reveals`: the request asks for secrets, where it may. */
export const isDangerous = ({ id, permission }: Pick<Route, 'id' | 'permission'>, reveals: boolean): boolean =>
  reveals || permission === 'secrets:reveal' || stepUpOperations.has(id);

/** How long a proof is good. */
export const stepUpMs = 600_000;
