import * as z from 'zod/mini';
import { permissionNames } from '../permissions.ts';
import { roleNames, type RoleName } from '../roles.ts';
import { boundsSchema } from '../bounds.ts';
import { route } from '../route.ts';
import {
  countSchema,
  idParams,
  idSchema,
  ifMatchHeaders,
  named,
  nameSchema,
  page,
  pageQuery,
  timeSchema,
} from '../schema.ts';

/** Long rather than odd: there are no rules about which characters it has. */
const passwordSchema = z.string().check(z.minLength(12, 'must have at least 12 characters'), z.maxLength(256));
/** What somebody typed at a door: judged there, not here. */
const typedPasswordSchema = z.string().check(z.maxLength(256));
const codeSchema = z.string().check(z.maxLength(64));
const displayNameSchema = z.string().check(z.maxLength(200));
export const roleSchema = z.enum(roleNames as [RoleName, ...RoleName[]]);

const userSchema = named(
  'User',
  'A person. The password is never shown, in any form.',
  z.object({
    id: idSchema,
    name: nameSchema,
    display_name: z.string(),
    role: z.string(),
    /** null: held to nothing. They count at once, in every session and token. */
    bounds: z.nullable(boundsSchema),
    /** Who this is at an identity provider; such a person has no password here. */
    identity: z.nullable(z.object({ issuer: z.string(), subject: z.string() })),
    /** Logs in with a code of an authenticator as well. */
    totp: z.boolean(),
    disabled_at: z.nullable(timeSchema),
    /** Too many failures came from some address; from there nothing lets this person in before. From others it does. */
    locked_until: z.nullable(timeSchema),
    seen_at: z.nullable(timeSchema),
    /** Of sessions that are open. */
    sessions: countSchema,
    revision: countSchema,
    created_at: timeSchema,
    updated_at: timeSchema,
  }),
);

const reads = 'people:read' as const;
const writes = 'people:write' as const;
const notFound = 'user.not-found' as const;
const changeProblems = [
  notFound,
  'user.last-admin',
  'auth.forbidden',
  'precondition.required',
  'precondition.failed',
] as const;
const examplePassword = 'correct horse battery staple';

export const users = {
  list: route({
    id: 'listUsers',
    method: 'get',
    path: '/api/v1/users',
    summary: 'Users, by name',
    permission: reads,
    query: pageQuery,
    ok: { status: 200, schema: page(userSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createUser',
    method: 'post',
    path: '/api/v1/users',
    summary: 'Make a user; the role can hold only what its giver holds',
    permission: writes,
    body: z
      .strictObject({
        name: nameSchema,
        display_name: z._default(displayNameSchema, ''),
        password: z.optional(passwordSchema),
        /** Instead of a password: who it is at the identity provider (`sub`). */
        subject: z.optional(z.string().check(z.minLength(1), z.maxLength(255))),
        role: roleSchema,
        bounds: z._default(z.nullable(boundsSchema), null),
      })
      .check(
        z.refine(({ password, subject }) => (password === undefined) !== (subject === undefined), {
          path: ['password'],
          message: 'has to be given, or subject, and not both',
        }),
      ),
    ok: { status: 201, schema: userSchema },
    problems: ['request.invalid', 'user.exists', 'auth.forbidden', 'oidc.off'],
    example: { body: { name: 'example-user', password: examplePassword, role: 'viewer' } },
  }),
  get: route({
    id: 'getUser',
    method: 'get',
    path: '/api/v1/users/{id}',
    summary: 'One user',
    permission: reads,
    params: idParams,
    ok: { status: 200, schema: userSchema },
    problems: [notFound],
    example: { params: { id: 'example-user' } },
  }),
  update: route({
    id: 'updateUser',
    method: 'patch',
    path: '/api/v1/users/{id}',
    summary:
      'Change a user. Another role, and being disabled, end the sessions; more rights, or another name, come only from who holds as much',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    body: z.strictObject({
      name: z.optional(nameSchema),
      /** null takes it away. */
      display_name: z.optional(z.nullable(displayNameSchema)),
      role: z.optional(roleSchema),
      /** null takes them away. */
      bounds: z.optional(z.nullable(boundsSchema)),
      disabled: z.optional(z.boolean()),
    }),
    ok: { status: 200, schema: userSchema },
    problems: ['request.invalid', 'user.exists', ...changeProblems],
    example: { params: { id: 'example-user' }, headers: { 'if-match': '*' }, body: { display_name: 'Example' } },
  }),
  setPassword: route({
    id: 'setUserPassword',
    method: 'post',
    path: '/api/v1/users/{id}/password',
    summary: 'Give a user another password, and unlock it. Ends the sessions and personal tokens',
    permission: writes,
    params: idParams,
    body: z.strictObject({ password: passwordSchema }),
    ok: { status: 204 },
    problems: ['request.invalid', notFound, 'auth.forbidden', 'user.no-password'],
    example: { params: { id: 'example-user' }, body: { password: examplePassword } },
  }),
  removeTotp: route({
    id: 'deleteUserTotp',
    method: 'delete',
    path: '/api/v1/users/{id}/totp',
    summary: 'Let a user whose authenticator is lost log in with the password alone',
    permission: writes,
    params: idParams,
    ok: { status: 204 },
    problems: [notFound, 'auth.forbidden'],
    example: { params: { id: 'example-user' } },
  }),
  remove: route({
    id: 'deleteUser',
    method: 'delete',
    path: '/api/v1/users/{id}',
    summary: 'Remove a user with its sessions; its tokens are revoked',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: changeProblems,
    example: { params: { id: 'example-user' }, headers: { 'if-match': '*' } },
  }),
};

export const peopleRoles = {
  list: route({
    id: 'listRoles',
    method: 'get',
    path: '/api/v1/roles',
    summary: 'Roles, and what each may do',
    permission: reads,
    ok: {
      status: 200,
      schema: z.object({
        items: z.array(
          named(
            'Role',
            'A list of permissions with a name.',
            z.object({ name: z.string(), description: z.string(), permissions: z.array(z.string()) }),
          ),
        ),
      }),
    },
    problems: [],
    example: {},
  }),
};

export const sessionSchema = named(
  'Session',
  'Who asks, and what they may do.',
  z.object({
    /** Of the session or of the token. */
    id: idSchema,
    kind: z.enum(['session', 'token']),
    /** Of the person, or of the token. */
    name: z.string(),
    user_id: z.nullable(idSchema),
    permissions: z.array(z.string()),
    /** What the caller is held to, of the person and of the token; null: nothing. */
    bounds: z.nullable(z.object({ projects: z.optional(z.array(z.string())), servers: z.optional(z.string()) })),
  }),
);

export const session = {
  open: route({
    id: 'login',
    method: 'post',
    path: '/api/v1/session',
    summary: 'Log in. A browser gets a cookie; a program asks for a token, which lives as long as a session at most',
    permission: 'public',
    body: z.strictObject({
      name: z.string().check(z.maxLength(64)),
      password: typedPasswordSchema,
      /** Of the authenticator, or one for recovery; where the person has set that up. */
      code: z.optional(codeSchema),
      as: z._default(z.enum(['cookie', 'token']), 'cookie'),
    }),
    ok: {
      status: 201,
      schema: z.extend(sessionSchema, {
        expires_at: timeSchema,
        /** Only when it was asked for. */
        token: z.optional(z.string()),
      }),
    },
    problems: [
      'request.invalid',
      'request.rate-limited',
      'auth.login-failed',
      'auth.code-missing',
      'auth.foreign-origin',
      'auth.insecure',
    ],
    example: { body: { name: 'example-user', password: examplePassword } },
  }),
  get: route({
    id: 'whoami',
    method: 'get',
    path: '/api/v1/session',
    summary: 'Who asks, and what they may do',
    permission: 'self',
    ok: { status: 200, schema: sessionSchema },
    problems: [],
    example: {},
  }),
  setPassword: route({
    id: 'setOwnPassword',
    method: 'post',
    path: '/api/v1/session/password',
    summary: 'Change the own password. Ends all sessions and personal tokens of the person, this one too',
    permission: 'self',
    body: z.strictObject({ current: typedPasswordSchema, password: passwordSchema }),
    ok: { status: 204 },
    problems: ['request.invalid', 'auth.login-failed', 'session.none', 'user.no-password'],
    example: { body: { current: examplePassword, password: examplePassword } },
  }),
  startTotp: route({
    id: 'startTotp',
    method: 'post',
    path: '/api/v1/session/totp',
    summary: 'Begin to log in with an authenticator: its secret, shown once. A code of it has to follow',
    permission: 'self',
    body: z.strictObject({ current: typedPasswordSchema }),
    ok: { status: 201, schema: z.object({ secret: z.string(), uri: z.string() }) },
    problems: ['request.invalid', 'auth.login-failed', 'session.none', 'totp.active', 'user.no-password'],
    example: { body: { current: examplePassword } },
  }),
  confirmTotp: route({
    id: 'confirmTotp',
    method: 'post',
    path: '/api/v1/session/totp/confirm',
    summary: 'Show a code of the authenticator: from now on logging in needs one. Answers ten codes for recovery, once',
    permission: 'self',
    body: z.strictObject({ code: codeSchema }),
    ok: { status: 201, schema: z.object({ recovery_codes: z.array(z.string()) }) },
    problems: ['request.invalid', 'auth.login-failed', 'session.none', 'totp.active'],
    example: { body: { code: '{code}' } },
  }),
  stepUp: route({
    id: 'stepUp',
    method: 'post',
    path: '/api/v1/session/step-up',
    summary:
      'Show once more who you are: a session may do dangerous things for ten minutes after. Its cookie is a new one',
    permission: 'self',
    body: z.strictObject({ password: typedPasswordSchema, code: z.optional(codeSchema) }),
    ok: { status: 200, schema: sessionSchema },
    problems: ['request.invalid', 'auth.login-failed', 'auth.code-missing', 'session.none', 'user.no-password'],
    example: { body: { password: examplePassword } },
  }),
  oidc: route({
    id: 'getOidc',
    method: 'get',
    path: '/api/v1/session/oidc',
    summary: 'Whether people may log in by an identity provider, and what its button is called',
    permission: 'public',
    ok: {
      status: 200,
      schema: named(
        'Oidc',
        'How people log in by an identity provider.',
        z.object({
          enabled: z.boolean(),
          name: z.nullable(z.string()),
          /** Where a browser begins. */
          start: z.nullable(z.string()),
          /** Where a browser ends its session there as well; null when the provider has no such address, or was not asked yet. */
          logout: z.nullable(z.string()),
        }),
      ),
    },
    problems: [],
    example: {},
  }),
  close: route({
    id: 'logout',
    method: 'delete',
    path: '/api/v1/session',
    summary: 'Log out: ends the session, or revokes the personal token that asks',
    permission: 'self',
    ok: { status: 204 },
    problems: ['session.none'],
    example: {},
  }),
};

/** What tokens may be given, one by one. */
export const permissionSchema = z.enum(permissionNames as [string, ...string[]]);
