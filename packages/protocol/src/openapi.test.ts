import { problemTable } from '@sbox/core';
import { describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import * as z from 'zod/mini';
import { agentRoutes } from './agent/agent-routes.ts';
import { operatorContract } from './contract.ts';
import { localRoutes } from './local/local-routes.ts';
import { openapi, openapi30 } from './openapi.ts';
import { permissionNames } from './permissions.ts';
import { routesOf, type Contract, type Route, type Schema } from './route.ts';

type Json = Record<string, unknown>;
const info = { title: 'sbox', version: '1.2.3', description: 'test' };
const contracts: Record<string, Contract> = {
  manager: { ...operatorContract, agents: agentRoutes },
  agent: { local: localRoutes },
};
const documents = Object.entries(contracts).flatMap(([name, contract]) => {
  const document = openapi(contract, info);
  return [
    { name: `${name} 3.1`, version: '3.1', document },
    { name: `${name} 3.0`, version: '3.0', document: openapi30(document) },
  ];
});

test.each(documents)('$name passes the schema of OpenAPI $version', async ({ document, version }) => {
  const validator = new Validator();
  // The validator resolves references in place, so it gets its own copy.
  const { valid, errors } = await validator.validate(structuredClone(document));
  expect(errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  expect(validator.version).toBe(version);
});

test.each(documents)('every reference of $name leads somewhere', ({ document }) => {
  const schemas = (document['components'] as { schemas: Json }).schemas;
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target ?? '');
  expect(references.length).toBeGreaterThan(10);
  for (const reference of references)
    expect(Object.keys(schemas).map((name) => `#/components/schemas/${name}`)).toContain(reference);
});

test.each(documents.filter(({ version }) => version === '3.0'))('$name holds no word of 3.1', ({ document }) => {
  const words = /"(?:const|prefixItems|propertyNames|\$defs|\$schema)":|"type":"null"|"type":\[/g;
  expect([...JSON.stringify({ ...document, paths: withoutExamples(document['paths']) }).matchAll(words)]).toEqual([]);
});

const withoutExamples = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, inner: unknown) => (key === 'example' ? undefined : inner));

describe('every operation', () => {
  const routes = Object.values(contracts).flatMap((contract) =>
    routesOf(contract).map((route) => ({ contract, route })),
  );

  test('has an id of its own within its program', () => {
    for (const contract of Object.values(contracts)) {
      const ids = routesOf(contract).map(({ id }) => id);
      expect(ids).toEqual([...new Set(ids)]);
      const places = routesOf(contract).map(({ method, path }) => `${method} ${path}`);
      expect(places).toEqual([...new Set(places)]);
    }
  });

  test.each(routes.map(({ route }) => [route.id, route] as const))(
    '%s: a known permission, known problems, a tag, an answer',
    (_, route) => {
      expect(['agent', 'public', 'self', ...permissionNames]).toContain(route.permission);
      for (const code of route.problems) expect(problemTable).toHaveProperty([code]);
      expect(route.summary).toMatch(/^[A-Z][^\n]*[^.\s]$/);
    },
  );

  test.each(routes.map(({ route }) => [route.id, route] as const))('%s: the example fits', (_, route) => {
    const { example, rawBody } = route;
    const parts: readonly (readonly [Schema | undefined, unknown])[] = [
      [route.params, example.params],
      [route.query, example.query ?? {}],
      [route.headers, example.headers ?? {}],
      [rawBody === undefined ? route.body : undefined, example.body],
    ];
    for (const [schema, value] of parts) if (schema) expect(z.safeParse(schema, value).error?.issues ?? []).toEqual([]);
    expect(namesIn(route.path)).toEqual(Object.keys(example.params ?? {}));
  });

  const namesIn = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
});

test('an operation says what it needs and what may go wrong', () => {
  const document = openapi(contracts['manager'] ?? {}, info);
  const operationOf = (path: string, method: string) =>
    ((document['paths'] as Record<string, Json>)[path]?.[method] ?? {}) as {
      tags: string[];
      security?: unknown[];
      'x-permission': string;
      parameters: Json[];
      responses: Record<string, { description: string }>;
    };
  const update = operationOf('/api/v1/configs/{id}', 'patch');
  expect(update).toMatchObject({ tags: ['configs'], 'x-permission': 'configs:write', operationId: 'updateConfig' });
  expect(update.parameters).toEqual([
    expect.objectContaining({ name: 'id', in: 'path', required: true, example: 'example' }),
    expect.objectContaining({ name: 'if-match', in: 'header', required: true, example: '*' }),
  ]);
  expect(Object.keys(update.responses).toSorted()).toEqual([
    '200',
    '400',
    '401',
    '403',
    '404',
    '408',
    '409',
    '412',
    '413',
    '415',
    '422',
    '428',
    '429',
  ]);
  expect(update.responses['412']?.description).toContain('`precondition.failed`');
  expect(operationOf('/healthz', 'get')).toMatchObject({ security: [] });
  expect(operationOf('/api/v1/configs/{id}', 'delete').responses).toHaveProperty('204');
});

test('what 3.0 cannot say is said its own way', () => {
  const contract = {
    things: {
      make: {
        id: 'make',
        method: 'post',
        path: '/things',
        summary: 'Make',
        permission: 'public',
        body: z.object({
          kind: z.literal('a'),
          count: z.nullable(z.int().check(z.gt(0), z.lt(10))),
          either: z.nullable(z.union([z.string(), z.number()])),
        }),
        ok: { status: 204 },
        problems: [],
        example: { body: { kind: 'a', count: 1, either: null, const: 'kept' } },
      } satisfies Route,
    },
  };
  const document = openapi30(openapi(contract, info));
  expect(document).toMatchObject({
    paths: {
      '/things': {
        post: {
          requestBody: {
            content: {
              'application/json': {
                example: { const: 'kept' },
                schema: {
                  properties: {
                    kind: { enum: ['a'] },
                    count: { type: 'integer', nullable: true, minimum: 0, exclusiveMinimum: true, maximum: 10 },
                    either: { nullable: true, anyOf: [{ type: 'string' }, { type: 'number' }] },
                  },
                },
              },
            },
          },
        },
      },
    },
  });
});
