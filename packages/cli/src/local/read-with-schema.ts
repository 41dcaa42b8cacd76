import { ProblemError, type ProblemCode } from '@sbox/core';

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
  readonly keys?: readonly string[] | undefined;
  readonly expected?: string | undefined;
  readonly values?: readonly unknown[] | undefined;
  readonly minimum?: unknown;
  readonly maximum?: unknown;
  readonly errors?: readonly (readonly Issue[])[] | undefined;
}

/** As much of a schema as reading needs. */
interface Schema<T> {
  safeParse(
    input: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly issues: readonly unknown[] } };
}

/** Where a value stands, and the code of the problem when it is wrong. */
export interface Place {
  readonly at: string;
  readonly code: ProblemCode;
}

/** @throws ProblemError that names the field, as `tests[2].expect` */
export function readWithSchema<T>(schema: Schema<T>, value: unknown, { at, code }: Place): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const complaints = (parsed.error.issues as readonly Issue[]).map(innermost).map(({ path, ...issue }) => ({
    path: `${at}${path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')}`.replace(
      /^\./,
      '',
    ),
    message: words(issue),
  }));
  const [first] = complaints;
  const detail = first === undefined ? `${at} cannot be read` : `${first.path || 'it'}: ${first.message}`;
  throw new ProblemError(code, detail, { details: { fields: complaints } });
}

/** Each thing that a schema found, in words; an unknown field by the place of its name. */
export const complaintsIn = (
  issues: readonly unknown[],
): { readonly path: readonly PropertyKey[]; readonly message: string; readonly isKey?: boolean }[] =>
  (issues as readonly Issue[])
    .map(innermost)
    .flatMap(({ path, ...issue }) =>
      issue.code === 'unrecognized_keys' && issue.keys
        ? issue.keys.map((key) => ({ path: [...path, key], message: 'there is no such field', isKey: true }))
        : [{ path, message: words(issue) }],
    );

/** Of the alternatives of a union, the one that got furthest says best what is wrong. */
function innermost(issue: Issue): Issue {
  const inner = (issue.errors ?? []).flat().map(innermost);
  const [deepest] = inner.toSorted((a, b) => b.path.length - a.path.length);
  return deepest === undefined ? issue : { ...deepest, path: [...issue.path, ...deepest.path] };
}

/** Schemas have words of their own for what is special; this is for the rest. */
function words({ code, keys, expected, values, minimum, maximum, message }: Omit<Issue, 'path'>): string {
  if (code === 'unrecognized_keys') return `there is no ${keys?.map((key) => `"${key}"`).join(', ') ?? 'such field'}`;
  if (code === 'invalid_value' && values) return `must be one of ${values.map(String).join(', ')}`;
  if (message !== 'Invalid input') return message;
  if (code === 'invalid_type') return `must be ${expected ?? 'something else'}`;
  if (code === 'too_small') return `must be at least ${String(minimum)}`;
  return code === 'too_big' ? `must be at most ${String(maximum)}` : 'is not valid';
}
