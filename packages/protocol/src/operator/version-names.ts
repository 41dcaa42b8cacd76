import * as z from 'zod/mini';
import { idSchema } from '../schema.ts';

/** A name for a version: not a number, and not the word for the newest one. */
export const tagSchema = z.string().check(
  z.regex(/^[a-zA-Z][a-zA-Z0-9._-]{0,63}$/, 'must begin with a letter; letters, digits, ., _ and -, at most 64'),
  z.refine((tag) => tag !== 'latest', 'the newest version is meant by naming none'),
);

const refPattern = /^(?:[1-9]\d{0,14}|[a-zA-Z][a-zA-Z0-9._-]{0,63})$/;
const refMessage = 'must be the number of a version, or a tag';
/** In addresses: the number of a version, or a tag. */
export const versionRefSchema = z.coerce.string().check(z.regex(refPattern, refMessage));
/** In bodies a number is a number. */
export const versionBodySchema = z.union([
  z.int().check(z.minimum(1)),
  z.string().check(z.regex(refPattern, refMessage)),
]);

export const versionRefParams = z.object({ id: idSchema, version: versionRefSchema });
