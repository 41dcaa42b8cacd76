import * as z from 'zod/mini';
import { nameSchema } from '../schema.ts';

const described = { description: z.string().check(z.maxLength(500)), optional: z.optional(z.boolean()) };
const bounds = { min: z.optional(z.number()), max: z.optional(z.number()) };
const textParam = <const T extends string>(type: T) =>
  z.strictObject({ type: z.literal(type), ...described, default: z.optional(z.string()) });

/** Parameters that are one value. Without `default` and `optional` the value has to be given. */
const plainParams = [
  z.strictObject({
    type: z.literal('string'),
    ...described,
    /** Of the length. */
    ...bounds,
    /** An RE2 expression that is found in the value; `^` and `$` make it fit the whole. */
    pattern: z.optional(z.string().check(z.maxLength(1000))),
    default: z.optional(z.string()),
  }),
  z.strictObject({ type: z.literal('int'), ...described, ...bounds, default: z.optional(z.int()) }),
  z.strictObject({ type: z.literal('bool'), ...described, default: z.optional(z.boolean()) }),
  z.strictObject({
    type: z.literal('enum'),
    ...described,
    values: z.array(z.string()).check(z.minLength(1), z.maxLength(200)),
    default: z.optional(z.string()),
  }),
  z.strictObject({ type: z.literal('port'), ...described, default: z.optional(z.int()) }),
  textParam('cidr'),
  textParam('duration'),
  textParam('url'),
  /** Hidden wherever parameters are shown; a default is not a secret and so there is none. */
  z.strictObject({ type: z.literal('secret'), ...described, ...bounds }),
] as const;

const plainParamSchema = z.discriminatedUnion('type', plainParams);

/** A parameter of several fields, as an item of a list. */
const objectParamSchema = z.strictObject({
  type: z.literal('object'),
  ...described,
  fields: z.record(z.string(), plainParamSchema),
});

const listParamSchema = z.strictObject({
  type: z.literal('list'),
  ...described,
  items: z.discriminatedUnion('type', [...plainParams, objectParamSchema]),
  ...bounds,
  default: z.optional(z.array(z.unknown())),
});

export const paramSpecSchema = z.discriminatedUnion('type', [...plainParams, listParamSchema]);

/** Names inside `${...}`. */
export const paramNameSchema = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be small letters, digits and _, at most 64'));

/** A skeleton with typed parameters. What `document` may hold is described at `fillTemplate`. */
export const templateSchema = z.strictObject({
  name: nameSchema,
  engine: z.literal('sing-box'),
  description: z.string().check(z.maxLength(2000)),
  params: z.record(paramNameSchema, paramSpecSchema),
  document: z.record(z.string(), z.unknown()),
});

const pointerSchema = z
  .string()
  .check(z.maxLength(1000), z.regex(/^(\/.*)?$/s, 'must be a JSON pointer as /route/final'));
const valueless = <const T extends string>(op: T) => z.strictObject({ op: z.literal(op), path: pointerSchema });
const valued = <const T extends string>(op: T) =>
  z.strictObject({ op: z.literal(op), path: pointerSchema, value: z.unknown() });
const moved = <const T extends string>(op: T) =>
  z.strictObject({ op: z.literal(op), from: pointerSchema, path: pointerSchema });

/** RFC 6902. */
export const jsonPatchSchema = z
  .array(
    z.discriminatedUnion('op', [
      valued('add'),
      valueless('remove'),
      valued('replace'),
      moved('move'),
      moved('copy'),
      valued('test'),
    ]),
  )
  .check(z.maxLength(1000));

export type Template = z.output<typeof templateSchema>;
export type ParamSpec = z.output<typeof paramSpecSchema>;
export type PlainParamSpec = z.output<typeof plainParamSchema>;
export type ObjectParamSpec = z.output<typeof objectParamSchema>;
export type JsonPatch = z.output<typeof jsonPatchSchema>;
