import { isRedacted, ProblemError, redactDocument } from '@sbox/core';
import type { JsonPatch } from '@sbox/protocol/pipeline';

/**
 * What a writer means who read something with hidden parts and sends it back: what is there. Anything else that still has
 * a hidden part would destroy a secret, so it is refused.
 * @throws ProblemError `request.invalid`
 */
export function readHidden<T>(given: T, stored: T | undefined, hide: (value: T) => unknown, what: string): T {
  if (stored !== undefined && JSON.stringify(given) === JSON.stringify(hide(stored))) return stored;
  if (hasRedacted(given))
    throw new ProblemError('request.invalid', `${what} has hidden parts: send it whole, or exactly as it was shown`);
  return given;
}

const hasRedacted = (value: unknown): boolean =>
  typeof value === 'string'
    ? isRedacted(value)
    : typeof value === 'object' && value !== null && Object.values(value).some(hasRedacted);

/** A patch for people to look at: what it puts at a place that holds a secret is one, whatever the value looks like. */
export const hidePatch = (patch: JsonPatch): JsonPatch =>
  patch.map((operation) =>
    'value' in operation ? { ...operation, value: hideAt(operation.path, operation.value) } : operation,
  );

function hideAt(pointer: string, value: unknown): unknown {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  let hidden: unknown = redactDocument(
    steps.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value),
    steps.length + maxDepth,
  );
  for (const step of steps) {
    if (typeof hidden !== 'object' || hidden === null) break;
    hidden = (hidden as Readonly<Record<string, unknown>>)[step];
  }
  return hidden;
}

const maxDepth = 32;
