import { ProblemError } from '@sbox/core';
import { roleNames, type RoleName } from '@sbox/protocol/roles';
import { text, type Call } from '../command.ts';

/** @throws ProblemError `command.usage` for a word that is no role */
export function roleOf(call: Call): RoleName | undefined {
  const typed = text(call, 'role');
  if (typed === undefined) return undefined;
  const known = roleNames.find((name) => name === typed);
  if (known) return known;
  throw new ProblemError('command.usage', `${typed} is no role`, { fix: `--role ${roleNames.join('|')}` });
}
