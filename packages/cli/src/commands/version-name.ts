import { ProblemError } from '@sbox/core';

/** `main`, or `main@stable`: a config, and the version that is meant by number or tag. @throws ProblemError `command.usage` */
export function readVersionName(typed: string): { readonly config: string; readonly version?: number | string } {
  const [config = '', version, ...rest] = typed.split('@');
  if (rest.length > 0)
    throw new ProblemError('command.usage', `"${typed}" names more than one version`, { fix: 'NAME@VERSION' });
  return version === undefined ? { config } : { config, version: readVersion(version) };
}

/** A number as a number, anything else as a tag. @throws ProblemError `command.usage` */
export function readVersion(typed: string): number | string {
  if (/^[1-9]\d*$/.test(typed)) return Number(typed);
  if (/^[a-zA-Z][\w.-]*$/.test(typed)) return typed;
  throw new ProblemError('command.usage', `"${typed}" is neither the number of a version nor a tag`, {
    fix: 'List them: sboxmgr config versions NAME',
  });
}
