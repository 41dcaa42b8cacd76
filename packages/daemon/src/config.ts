import { ProblemError } from '@sbox/core';
import english from 'zod/v4/locales/en.js';
import * as z from 'zod/mini';
import { parse as parseYaml } from 'yaml';
import { placeOfProto } from './http/json-body.ts';

/** Who set a value: the strongest layer first. */
export const layers = ['flag', 'environment', 'file', 'default'] as const;
export type Layer = (typeof layers)[number];
type Tree = Readonly<Record<string, unknown>>;

export interface SettingsInput {
  /** Command-line values by dotted key: `listen.port`. */
  readonly flags?: Tree;
  /** All variables; those with the prefix are read: `SBOXMGR_FETCH_TIMEOUT` is `fetch.timeout`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly prefix: string;
  /** Files in order, later ones win. Text is YAML. */
  readonly files?: readonly { readonly name: string; readonly text: string }[];
}

export interface Settings<T> {
  readonly value: T;
  /** Which layer and which place gave a key its value. */
  explain(key: string): { readonly key: string; readonly value: unknown; readonly layer: Layer; readonly from: string };
}

/**
 * Reads the settings of a program: flag > environment > file > default.
 * @throws ProblemError `settings.invalid` naming every wrong key and where it was set.
 */
export function readSettings<S extends z.ZodMiniType>(schema: S, input: SettingsInput): Settings<z.output<S>> {
  const leaves = leavesOf(shapeOf(schema), '');
  const keys = leaves.map(({ key }) => key);
  const types = new Map(leaves.map(({ key, type }) => [key, type]));
  const origin = new Map<string, { layer: Layer; from: string }>();
  const merged: Record<string, unknown> = {};
  for (const { name, text } of input.files ?? []) {
    for (const [key, value] of flatten(readYaml(name, text), keys))
      put(merged, origin, key, value, { layer: 'file', from: name });
  }
  for (const key of keys) {
    const variable = `${input.prefix}_${key.replaceAll('.', '_').toUpperCase()}`;
    const value = input.environment?.[variable];
    if (value !== undefined)
      put(merged, origin, key, readVariable(variable, value, types.get(key)), { layer: 'environment', from: variable });
  }
  for (const [key, value] of Object.entries(input.flags ?? {})) {
    if (value !== undefined) put(merged, origin, key, value, { layer: 'flag', from: `--${key}` });
  }
  const parsed = z.safeParse(schema, merged, { error: english().localeError });
  if (!parsed.success) throw invalid(parsed.error.issues, origin);
  return {
    value: parsed.data,
    explain: (key) => ({
      key,
      value: valueAt(parsed.data, key),
      ...(origin.get(key) ?? { layer: 'default', from: 'default' }),
    }),
  };
}

function readYaml(name: string, text: string): Tree {
  try {
    return treeOf(name, parseYaml(text, { maxAliasCount: 100 }) ?? {});
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError('settings.invalid', `${name} is not valid YAML: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function treeOf(name: string, value: unknown): Tree {
  const place = placeOfProto(value);
  if (place !== undefined)
    throw new ProblemError('settings.invalid', `${name}${place}: no field may be called __proto__`);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Tree;
  throw new ProblemError('settings.invalid', `${name} must hold keys and values`);
}

/** Keys whose values are not objects of our own schema, as `api.security.auth_token`. */
export const leafKeys = (schema: z.ZodMiniType): readonly string[] =>
  leavesOf(shapeOf(schema), '').map(({ key }) => key);

interface Shape {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, Shape>>;
}
const shapeOf = (schema: z.ZodMiniType): Shape =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;

const leavesOf = ({ properties }: Shape, at: string): readonly { readonly key: string; readonly type: unknown }[] =>
  Object.entries(properties ?? {}).flatMap(([name, inner]) => {
    const key = at ? `${at}.${name}` : name;
    return inner.properties ? leavesOf(inner, key) : [{ key, type: inner.type }];
  });

/** Variables are text; what is no text in the schema is written as in YAML: `5`, `true`, `[a, b]`, or a list as `a,b`. */
export function readVariable(name: string, value: string, type: unknown): unknown {
  if (type === 'string') return value;
  try {
    const read = parseYaml(value) as unknown;
    return type === 'array' && typeof read === 'string' ? listOf(read) : read;
  } catch (error) {
    throw new ProblemError('settings.invalid', `${name} is not valid YAML: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

const listOf = (text: string): string[] => text.split(',').flatMap((item) => item.trim() || []);

/** Leaves of a tree; keys that the schema does not know stay whole, so that the schema can name them. */
function flatten(tree: Tree, keys: readonly string[], at = ''): [string, unknown][] {
  return Object.entries(tree).flatMap(([name, value]): [string, unknown][] => {
    const key = at ? `${at}.${name}` : name;
    const isBranch = keys.some((known) => known.startsWith(`${key}.`));
    return isBranch && typeof value === 'object' && value !== null ? flatten(value as Tree, keys, key) : [[key, value]];
  });
}

function put(
  tree: Record<string, unknown>,
  origin: Map<string, { layer: Layer; from: string }>,
  key: string,
  value: unknown,
  from: { layer: Layer; from: string },
): void {
  const parts = key.split('.');
  const last = parts.pop() ?? key;
  let branch = tree;
  for (const part of parts) {
    const inner = Object.hasOwn(branch, part) ? branch[part] : undefined;
    const next = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
    Object.defineProperty(branch, part, { value: next, enumerable: true, writable: true, configurable: true });
    branch = next;
  }
  Object.defineProperty(branch, last, { value, enumerable: true, writable: true, configurable: true });
  origin.set(key, from);
}

const valueAt = (value: unknown, key: string): unknown =>
  key.split('.').reduce<unknown>((inner, part) => (inner as Record<string, unknown> | undefined)?.[part], value);

type Issue = z.core.$ZodIssue;
function invalid(issues: readonly Issue[], origin: Map<string, { layer: Layer; from: string }>): ProblemError {
  const keys = issues.flatMap((issue) => {
    const places = issue.code === 'unrecognized_keys' ? issue.keys.map((name) => [...issue.path, name]) : [issue.path];
    return places.map((place) => {
      const key = place.join('.');
      const message = issue.code === 'unrecognized_keys' ? 'no such key' : issue.message;
      return { key, message, from: origin.get(key)?.from ?? 'settings' };
    });
  });
  const first = keys[0];
  return new ProblemError('settings.invalid', `${first?.key ?? ''} (${first?.from ?? ''}): ${first?.message ?? ''}`, {
    details: { keys },
  });
}
