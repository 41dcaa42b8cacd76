import { test } from '@jest/globals';

type Body = () => Promise<void>;

/**
 * Declares a test where nothing is missing. Else it is left out under a name that says why, which ./scripts/test prints.
 * Only for what cannot be installed: what can be and is not there has to fail.
 */
export const testUnless =
  (missing: string | undefined) =>
  (name: string, body: Body, timeoutMs?: number): void => {
    if (missing === undefined) test(name, body, timeoutMs);
    else test.skip(`${name} (not here: ${missing})`, body, timeoutMs);
  };

export const testAsRoot = testUnless(process.getuid?.() === 0 ? undefined : 'it needs root');
