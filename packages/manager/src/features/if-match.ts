import { ProblemError } from '@sbox/core';

/** @throws ProblemError `precondition.failed` unless the caller saw this revision, or said `*`. */
export function checkRevision(ifMatch: string, revision: number): void {
  if (ifMatch === '*' || ifMatch.split(',').some((tag) => tag.trim() === `"${revision}"`)) return;
  throw new ProblemError('precondition.failed', `If-Match is ${ifMatch}, the resource is at "${revision}"`, {
    details: { revision },
  });
}
