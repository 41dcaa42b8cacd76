import { parseDuration } from '@sbox/core';
import * as z from 'zod/mini';

/** Registers a schema under a name, so that documents refer to it instead of repeating it. */
export function named<S extends z.ZodMiniType>(id: string, description: string, schema: S): S {
  z.globalRegistry.add(schema, { id, description });
  return schema;
}

export const idSchema = z.string().check(z.minLength(1), z.maxLength(64));
/** Names are used in addresses and on command lines: letters, digits, `.`, `_`, `-`. */
export const nameSchema = z
  .string()
  .check(z.regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/, 'must be letters, digits, ., _ and -, at most 64'));
export const timeSchema = z.iso.datetime();
export const digestSchema = z.string().check(z.regex(/^sha256:[0-9a-f]{64}$/));
/** A version to its last number: a build is one program, not a line of them. */
export const engineVersionSchema = z
  .string()
  .check(z.regex(/^\d+\.\d+\.\d+([-.+][\w.+-]*)?$/, 'must be a whole version as 1.14.4'), z.maxLength(64));
export const countSchema = z.int().check(z.minimum(0));
/** A duration as people write it: `30s`, `5m`, `7d`. */
export const durationSchema = z.string().check(
  z.regex(/^(0|(\d+(\.\d+)?(ms|[smhdw]))+)$/, 'must be a duration as 10s, 5m or 7d'),
  z.refine((text) => parseDuration(text) !== undefined, 'longer than a hundred years'),
);

/**
 * A whole number in an address or a query, in decimal digits. Number() alone would read an empty text as 0 and `0x10`
 * as 16. Callers may hand in the number itself.
 */
export const integerSchema = (minimum: number, maximum = Number.MAX_SAFE_INTEGER) =>
  z.pipe(
    z.transform((input: unknown) => (typeof input === 'string' && /^-?\d{1,16}$/.test(input) ? Number(input) : input)),
    z.int().check(z.minimum(minimum), z.maximum(maximum)),
  );

/** `{id}` takes an id or a name. */
export const idParams = z.object({ id: idSchema });
export const versionParams = z.object({ id: idSchema, version: integerSchema(1) });

export const pageQuery = z.strictObject({
  limit: z.prefault(integerSchema(1, 1000), 50),
  cursor: z.optional(z.string().check(z.maxLength(512))),
});
export const page = <S extends z.ZodMiniType>(item: S) =>
  z.object({ items: z.array(item), next_cursor: z.nullable(z.string()) });

/** A truth in a query, `true` or `false`; false when it is not there. Callers may hand in the truth itself. */
export const flagSchema = z._default(
  z.pipe(
    z.enum(['true', 'false']) as z.ZodMiniType<'true' | 'false', boolean | `${boolean}`>,
    z.transform((word) => word === 'true'),
  ),
  false,
);

/** Shows secrets when `reveal=true` and the token holds `secrets:reveal`. */
export const revealQuery = z.strictObject({ reveal: flagSchema });

/** Writers name the revision they saw: `If-Match: "<revision>"`, or `*` for any. */
export const ifMatchHeaders = z.object({ 'if-match': z.string() });
export const idempotencyHeaders = z.object({ 'idempotency-key': z.optional(z.string().check(z.maxLength(128))) });

export const problemSchema = named(
  'Problem',
  'RFC 9457 problem document with a stable code and a fix.',
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    fix: z.string(),
    instance: z.optional(z.string()),
    details: z.optional(z.record(z.string(), z.unknown())),
  }),
);

/** Under a name that does not look like the one of a promise. */
const orElse = z.catch;

/** How an enum of ours is read when it comes from a newer program: unknown words become `unknown`. */
export const looseEnum = <const T extends readonly string[]>(words: T) =>
  orElse(z.enum([...words, 'unknown'] as [...T, 'unknown']), 'unknown');
