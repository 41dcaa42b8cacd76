import { problemRow } from '@sbox/core';
import * as z from 'zod/mini';
import { gatewayProblemsOf } from './gateway-problems.ts';
import { isRoute, routesOf, type Contract, type Route, type Schema } from './route.ts';
import { problemSchema } from './schema.ts';

type Json = Record<string, unknown>;
export interface ApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

/** OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1): JSON Schema 2020-12 as zod writes it. */
export function openapi(contract: Contract, info: ApiInfo): Json {
  const schemas = createComponents();
  const paths: Record<string, Json> = {};
  for (const [tag, route] of taggedRoutes(contract))
    (paths[route.path] ??= {})[route.method] = { tags: [tag], ...operation(route, schemas) };
  schemas.ref(problemSchema, 'output');
  return {
    openapi: '3.1.1',
    info: { ...info, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: [...new Set(taggedRoutes(contract).map(([name]) => name))].map((name) => ({ name })),
    paths,
    components: {
      schemas: schemas.all,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'An access token: sbox_pat_… or sbox_svc_…' },
      },
    },
  };
}

/** The group of a contract that a route is in is its tag. */
const taggedRoutes = (contract: Contract): readonly (readonly [string, Route])[] =>
  Object.entries(contract).flatMap(([name, entry]) =>
    (isRoute(entry) ? [entry] : routesOf(entry)).map((route) => [name, route] as const),
  );

interface Components {
  readonly all: Record<string, Json>;
  ref(schema: Schema, io: 'input' | 'output'): Json;
}

function createComponents(): Components {
  const all: Record<string, Json> = {};
  const ref = (schema: Schema, io: 'input' | 'output'): Json => {
    const {
      $schema: _,
      $defs = {},
      ...root
    } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' }) as Json & {
      $defs?: Record<string, Json>;
    };
    const keep = (name: string, definition: Json): void => {
      // What is both sent and received is shown with the stricter rules of sending.
      if (io === 'input' || !Object.hasOwn(all, name)) all[name] = definition;
    };
    for (const [name, definition] of Object.entries($defs)) keep(name, relink(definition, io));
    const { id, ...rest } = relink(root, io);
    if (typeof id !== 'string') return { ...(id === undefined ? {} : { id }), ...rest };
    keep(id, rest);
    return { $ref: `#/components/schemas/${id}` };
  };
  return { all, ref };
}

/** References lead into the document; answers stay open, because a later version may add fields. */
const relink = (schema: Json, io: 'input' | 'output'): Json =>
  JSON.parse(JSON.stringify(schema).replaceAll('#/$defs/', '#/components/schemas/'), (key, value: unknown) =>
    io === 'output' && key === 'additionalProperties' && value === false ? undefined : value,
  ) as Json;

function operation(route: Route, schemas: Components): Json {
  const { example } = route;
  const raw = route.rawBody ?? route.streamBody;
  const body = raw
    ? { content: { [raw]: { schema: { type: 'string', format: 'binary' } } } }
    : route.body && {
        content: {
          [route.method === 'patch' ? 'application/merge-patch+json' : 'application/json']: {
            schema: schemas.ref(route.body, 'input'),
            ...(example.body === undefined ? {} : { example: example.body }),
          },
        },
      };
  return {
    operationId: route.id,
    summary: route.summary,
    'x-permission': route.permission,
    ...(route.permission === 'public' || route.permission === 'agent' ? { security: [] } : {}),
    parameters: (['path', 'query', 'header'] as const).flatMap((where) => parameters(route, where, schemas)),
    ...(body ? { requestBody: { required: true, ...body } } : {}),
    responses: { [String(route.ok.status)]: okResponse(route, schemas), ...problemResponses(route) },
  };
}

const placed = { path: 'params', query: 'query', header: 'headers' } as const;

function parameters(route: Route, where: keyof typeof placed, schemas: Components): Json[] {
  const schema = route[placed[where]];
  if (!schema) return [];
  const { properties = {}, required = [] } = schemas.ref(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  const examples: Readonly<Record<string, unknown>> = route.example[placed[where]] ?? {};
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
    ...(examples[name] === undefined ? {} : { example: examples[name] }),
  }));
}

function okResponse({ ok, summary }: Route, schemas: Components): Json {
  if ('schema' in ok)
    return { description: summary, content: { 'application/json': { schema: schemas.ref(ok.schema, 'output') } } };
  // Bytes that are JSON may be any JSON.
  if ('bytes' in ok) {
    const schema = /[/+]json$/.test(ok.bytes) ? {} : { type: 'string' };
    return { description: summary, content: { [ok.bytes]: { schema } } };
  }
  if (ok.status !== 302) return { description: summary };
  return { description: summary, headers: { location: { schema: { type: 'string' } } } };
}

function problemResponses(route: Route): Json {
  // Every operation may break inside: that is not said at each.
  const codes = [...new Set([...gatewayProblemsOf(route), ...route.problems])].filter(
    (code) => !code.startsWith('internal.'),
  );
  const byStatus = Map.groupBy(codes, (code) => problemRow(code).status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => `\`${code}\`: ${problemRow(code).title}`).join('\n'),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

/** OpenAPI 3.0.3 for tools that read nothing newer: types with null become `nullable`, 2020-12 words are rewritten. */
export function openapi30(document: Json): Json {
  const { $schema: _, ...rest } = downgrade(document) as Json;
  const info = rest['info'] as Json;
  return { ...rest, openapi: '3.0.3', info: { ...info, license: { name: 'Apache-2.0' } } };
}

function downgrade(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(downgrade);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as Json);
  return rewrite(
    Object.fromEntries(entries.map(([key, inner]) => [key, key === 'example' ? inner : downgrade(inner)])),
  );
}

function rewrite(node: Json): Json {
  const {
    const: constant,
    anyOf,
    exclusiveMinimum,
    exclusiveMaximum,
    propertyNames: _,
    prefixItems: __,
    ...rest
  } = node;
  const schema: Json = { ...rest };
  if (Array.isArray(schema['type'])) Object.assign(schema, splitTypes(schema['type'] as string[]));
  if (constant !== undefined) schema['enum'] = [constant];
  if (typeof exclusiveMinimum === 'number')
    Object.assign(schema, { minimum: exclusiveMinimum, exclusiveMinimum: true });
  if (typeof exclusiveMaximum === 'number')
    Object.assign(schema, { maximum: exclusiveMaximum, exclusiveMaximum: true });
  if (Array.isArray(anyOf)) {
    const choices = anyOf as Json[];
    const others = choices.filter((choice) => choice['type'] !== 'null');
    const single = others.length === 1 && others.length < choices.length ? others[0] : undefined;
    if (single)
      return single['$ref'] ? { ...schema, nullable: true, allOf: [single] } : { ...schema, ...single, nullable: true };
    schema['anyOf'] = others;
    if (others.length < choices.length) schema['nullable'] = true;
  }
  return schema;
}

/** 3.0 has one type and a flag where 2020-12 has a list of types. */
function splitTypes(types: readonly string[]): Json {
  const others = types.filter((type) => type !== 'null');
  const nullable = others.length < types.length ? { nullable: true } : {};
  return others.length === 1
    ? { type: others[0], ...nullable }
    : { type: undefined, anyOf: others.map((type) => ({ type })), ...nullable };
}
