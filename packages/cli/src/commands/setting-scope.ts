import { ProblemError } from '@sbox/core';
import { parseScope, printScope, settingKeys } from '@sbox/protocol';
import { flag, text, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { parse } from '../yaml-text.ts';

const named = ['environment', 'service', 'labels', 'server', 'user'] as const;

/** The scope that the options name, as the manager writes it. @throws ProblemError `command.usage`, `request.invalid` */
export function scopeOf(call: Call): string {
  const given = named.flatMap((kind) => {
    const name = text(call, kind);
    return name === undefined ? [] : [`${kind}:${name}`];
  });
  const scopes = flag(call, 'global') ? ['global', ...given] : given;
  const [scope] = scopes;
  if (scope === undefined || scopes.length > 1)
    throw new ProblemError('command.usage', scope === undefined ? 'no scope was named' : 'more than one scope', {
      fix: 'One of --global, --environment NAME, --service KIND, --labels SELECTOR, --server NAME, --user NAME',
    });
  return printScope(parseScope(scope));
}

/** `key=value` as it was typed, the value in the type that the key wants. @throws ProblemError `command.usage` */
export async function valuesOf(client: OperatorClient, typed: readonly string[]): Promise<Record<string, unknown>> {
  const pairs = typed.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at < 1) throw new ProblemError('command.usage', `${pair} is not key=value`, { fix: 'log_level=info' });
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  const types = pairs.some(([key]) => key.startsWith('params.')) ? await paramTypes(client) : new Map<string, string>();
  return Object.fromEntries(pairs.map(([key, value]) => [key, readValue(key, value, types.get(key))]));
}

const paramTypes = async (client: OperatorClient): Promise<Map<string, string>> =>
  new Map((await client.settings.keys({})).items.map(({ key, type }) => [key, type]));

/** Types of parameters whose values are no text. */
const notText = /^(int|bool|port|list)$/;

function readValue(key: string, value: string, type: string | undefined): unknown {
  const row = Object.hasOwn(settingKeys, key) ? settingKeys[key as keyof typeof settingKeys] : undefined;
  if (row) return row.schema.safeParse(value).success ? value : read(value);
  return type !== undefined && type.split(' | ').some((one) => notText.test(one)) ? read(value) : value;
}

/** As in a file; what cannot be read stays a text, and the manager says what is wrong with it. */
function read(value: string): unknown {
  try {
    return parse(value) as unknown;
  } catch {
    return value;
  }
}

/** A value in one line. */
export const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? null));
