import { ProblemError } from '@sbox/core';
import type { Labels } from '@sbox/protocol';
import { text, texts, type Call } from '../command.ts';

/** `role=edge canary` for people. */
export const printLabels = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .join(' ');

/** `--label k=v` as often as it was typed; one without a value is a mark. @throws ProblemError `command.usage` */
const labelsOf = (call: Call): Record<string, string> =>
  Object.fromEntries(
    texts(call, 'label').map((typed) => {
      const [, name, value = ''] = /^([^=]+)(?:=(.*))?$/.exec(typed) ?? [];
      if (name === undefined) throw new ProblemError('command.usage', `--label is "${typed}", not NAME=VALUE`);
      return [name, value];
    }),
  );

/** What is given to something that is made: its labels and its environment. */
export const placeOf = (call: Call): { labels: Record<string, string>; environment: string | null } => ({
  labels: labelsOf(call),
  environment: text(call, 'environment') ?? null,
});

/** What is to change of them; nothing where nothing was typed. */
export function placeChange(call: Call): { labels?: Record<string, string | null>; environment?: string | null } {
  const taken = texts(call, 'unlabel').map((name) => [name, null] as const);
  const labels = { ...Object.fromEntries(taken), ...labelsOf(call) };
  const { environment } = call.options;
  return {
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(environment === false ? { environment: null } : {}),
    ...(typeof environment === 'string' ? { environment } : {}),
  };
}
