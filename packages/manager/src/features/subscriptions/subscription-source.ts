import { ProblemError, redactedMark, redactText } from '@sbox/core';
import type { subscriptionWriteSchema } from '@sbox/protocol';
import type * as z from 'zod/mini';

export type Source = z.output<typeof subscriptionWriteSchema>['source'];

const hiddenUrl = `https://${redactedMark}`;

/** What may be shown of a source without permission to see secrets. */
export function hideSource(source: Source): Source {
  if (source.type === 'inline') return { type: 'inline', text: redactedMark };
  const { headers, ...rest } = source;
  return {
    ...rest,
    // As it is sent: in the text that was given, a blank or a quote would end what is taken for the address.
    url: redactText(URL.parse(source.url)?.href ?? hiddenUrl),
    ...(headers === undefined
      ? {}
      : { headers: Object.fromEntries(Object.keys(headers).map((name) => [name, redactedMark])) }),
  };
}

/**
 * What a writer means who read a hidden source and sends it back: the source that is there. Anything else that still
 * has a hidden part would destroy a secret, so it is refused.
 */
export function readSource(given: Source, stored: Source | undefined): Source {
  if (stored && JSON.stringify(given) === JSON.stringify(hideSource(stored))) return stored;
  const text = given.type === 'inline' ? given.text : given.url;
  const values = given.type === 'inline' ? [] : Object.values(given.headers ?? {});
  if (text === redactedMark || text.endsWith(`/${redactedMark}`) || values.includes(redactedMark)) {
    throw new ProblemError('request.invalid', 'the source has hidden parts: send it whole, or exactly as it was shown');
  }
  return given;
}
