import * as z from 'zod/mini';
import { boundsSchema } from '../bounds.ts';
import { route } from '../route.ts';
import { durationSchema, idParams, idSchema, named, nameSchema, page, pageQuery, timeSchema } from '../schema.ts';
import { permissionSchema, roleSchema } from './people.ts';

const accessTokenSchema = named(
  'AccessToken',
  'A bearer token of a person or a program. The text is shown once, when it is made.',
  z.object({
    id: idSchema,
    name: nameSchema,
    /** Its permissions are those of the role, also after the role has changed; null where they were listed. */
    role: z.nullable(z.string()),
    permissions: z.array(z.string()),
    /** The person it belongs to: it never opens more than they may, and ends with them. null: nobody's, a program's. */
    user_id: z.nullable(idSchema),
    user_name: z.nullable(z.string()),
    /** What it is held to, beside its person's bounds; null: nothing of its own. */
    bounds: z.nullable(boundsSchema),
    /** Who made it: a person, or a token; null for the first one, and for those of before there were records. */
    created_by: z.nullable(idSchema),
    /** null where it is gone, too. */
    created_by_name: z.nullable(z.string()),
    last4: z.string(),
    created_at: timeSchema,
    expires_at: z.nullable(timeSchema),
    /** To the minute. */
    last_used_at: z.nullable(timeSchema),
  }),
);

const writes = 'tokens:write' as const;

export const tokens = {
  list: route({
    id: 'listTokens',
    method: 'get',
    path: '/api/v1/tokens',
    summary: 'Access tokens that are not revoked, newest first; never their secrets',
    permission: writes,
    query: pageQuery,
    ok: { status: 200, schema: page(accessTokenSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createToken',
    method: 'post',
    path: '/api/v1/tokens',
    summary: 'Make an access token of a role or of permissions; it can hold only what its maker holds',
    permission: writes,
    body: z
      .strictObject({
        name: nameSchema,
        role: z.optional(roleSchema),
        permissions: z.optional(z.array(permissionSchema).check(z.minLength(1), z.maxLength(100))),
        /** Without it the token does not expire. */
        ttl: z.optional(durationSchema),
        /** Not wider than those of its maker; without it, those. */
        bounds: z.optional(boundsSchema),
        /** It belongs to the person who makes it, instead of to nobody. */
        personal: z._default(z.boolean(), false),
      })
      .check(
        z.refine(({ role, permissions }) => (role === undefined) !== (permissions === undefined), {
          path: ['role'],
          message: 'has to be given, or permissions, and not both',
        }),
      ),
    ok: { status: 201, schema: z.extend(accessTokenSchema, { token: z.string() }) },
    problems: ['request.invalid', 'auth.forbidden', 'session.none'],
    example: { body: { name: 'reader', permissions: ['status:read'] } },
  }),
  remove: route({
    id: 'deleteToken',
    method: 'delete',
    path: '/api/v1/tokens/{id}',
    summary: 'Revoke an access token',
    permission: writes,
    params: idParams,
    ok: { status: 204 },
    problems: ['token.not-found'],
    example: { params: { id: '{token}' } },
  }),
};
