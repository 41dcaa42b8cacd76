import * as z from 'zod/mini';
import { route } from '../route.ts';
import {
  countSchema,
  idempotencyHeaders,
  ifMatchHeaders,
  named,
  nameSchema,
  page,
  pageQuery,
  timeSchema,
} from '../schema.ts';

/** Why, in words of a person. */
export const reasonSchema = z.string().check(z.trim(), z.minLength(1), z.maxLength(500));
const reason = reasonSchema;
export const weekDays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type WeekDay = (typeof weekDays)[number];

const clockTime = z.string().check(z.regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day as 18:00'));

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** Once, from one moment to another. */
const onceSchema = z
  .strictObject({ name: nameSchema, reason, from: timeSchema, to: timeSchema })
  .check(z.refine(({ from, to }) => Date.parse(from) < Date.parse(to), 'ends before it begins'));
/** Every week; one that ends at or before its beginning ends on the next day. */
const weeklySchema = z.strictObject({
  name: nameSchema,
  reason,
  days: z.array(z.enum(weekDays)).check(z.minLength(1), z.maxLength(7)),
  from: clockTime,
  to: clockTime,
  /** A name of the IANA database, as Europe/Amsterdam. */
  time_zone: z.string().check(z.maxLength(64), z.refine(isTimeZone, 'is not a known time zone, as Europe/Amsterdam')),
});

const freezeWindowSchema = z.union([weeklySchema, onceSchema]);
export type OnceWindow = Readonly<z.output<typeof onceSchema>>;
export type WeeklyWindow = Readonly<z.output<typeof weeklySchema>>;
/** When nothing is deployed. */
export type FreezeWindow = OnceWindow | WeeklyWindow;

/** How people see it from far away. */
const environmentColors = ['none', 'green', 'yellow', 'red'] as const;

const freezesSchema = z.array(freezeWindowSchema).check(
  z.maxLength(20),
  z.refine(
    (windows) => new Set(windows.map(({ name }) => name)).size === windows.length,
    'two windows have the same name',
  ),
);
const description = z.string().check(z.maxLength(500));
const color = z.enum(environmentColors);

const environmentSchema = named(
  'Environment',
  'A group of servers with settings and freeze windows of its own. In a frozen one nothing is deployed.',
  z.object({
    name: nameSchema,
    description: z.string(),
    color: z.string(),
    freezes: z.array(freezeWindowSchema),
    /** The freeze that is on now; `until` is null where windows follow one another for ever. */
    frozen: z.nullable(z.object({ name: nameSchema, reason: z.string(), until: z.nullable(timeSchema) })),
    servers: countSchema,
    revision: countSchema,
    created_at: timeSchema,
    updated_at: timeSchema,
  }),
);

const nameParams = z.object({ name: nameSchema });
const reads = 'servers:read' as const;
const writes = 'environments:write' as const;
const notFound = 'environment.not-found' as const;
const nights = {
  name: 'nights',
  days: ['fri', 'sat', 'sun'],
  from: '18:00',
  to: '08:00',
  time_zone: 'Europe/Amsterdam',
  reason: 'Nobody is there to look.',
} as const;

export const environments = {
  list: route({
    id: 'listEnvironments',
    method: 'get',
    path: '/api/v1/environments',
    summary: 'List environments, and which of them are frozen',
    permission: reads,
    query: pageQuery,
    ok: { status: 200, schema: page(environmentSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createEnvironment',
    method: 'post',
    path: '/api/v1/environments',
    summary: 'Make an environment',
    permission: writes,
    headers: idempotencyHeaders,
    body: z.strictObject({
      name: nameSchema,
      description: z._default(description, ''),
      color: z._default(color, 'none'),
      freezes: z._default(freezesSchema, []),
    }),
    ok: { status: 201, schema: environmentSchema },
    problems: ['request.invalid', 'environment.exists', 'request.idempotency-mismatch'],
    example: { body: { name: 'example-prod', description: 'What customers use.', color: 'red' } },
  }),
  get: route({
    id: 'getEnvironment',
    method: 'get',
    path: '/api/v1/environments/{name}',
    summary: 'One environment',
    permission: reads,
    params: nameParams,
    ok: { status: 200, schema: environmentSchema },
    problems: [notFound],
    example: { params: { name: 'example-prod' } },
  }),
  update: route({
    id: 'updateEnvironment',
    method: 'patch',
    path: '/api/v1/environments/{name}',
    summary: 'Change an environment; its freeze windows are replaced as a whole',
    permission: writes,
    params: nameParams,
    headers: ifMatchHeaders,
    body: z.strictObject({
      description: z.optional(description),
      color: z.optional(color),
      freezes: z.optional(freezesSchema),
    }),
    ok: { status: 200, schema: environmentSchema },
    problems: ['request.invalid', notFound, 'precondition.required', 'precondition.failed'],
    example: {
      params: { name: 'example-prod' },
      headers: { 'if-match': '*' },
      body: { freezes: [nights] },
    },
  }),
  remove: route({
    id: 'deleteEnvironment',
    method: 'delete',
    path: '/api/v1/environments/{name}',
    summary: 'Delete an environment that nothing is in',
    permission: writes,
    params: nameParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [notFound, 'environment.in-use', 'precondition.required', 'precondition.failed'],
    example: { params: { name: 'example-prod' }, headers: { 'if-match': '*' } },
  }),
};
