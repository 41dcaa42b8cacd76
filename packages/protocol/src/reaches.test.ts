import { expect, test } from '@jest/globals';
import { operatorContract } from './contract.ts';
import { everything, isReachDecided, reachOf } from './reaches.ts';
import { routesOf, type Route, type Schema } from './route.ts';

const routes = routesOf(operatorContract);

test('what every operation means to callers with bounds was decided', () => {
  expect(routes.filter((route) => !isReachDecided(route)).map(({ id }) => id)).toEqual([]);
  expect(Object.keys(everything).filter((id) => reachOf({ id }))).toEqual([]);
});

/** Fields that name things which have a place in bounds. */
const naming =
  /^(projects?|subscriptions?|templates?|configs?|servers?|deployments?|(config|server|subscription|deployment)_ids?)$/;

const fieldsOf = (schema: Schema | undefined): readonly string[] =>
  Object.keys((schema as { shape?: Readonly<Record<string, unknown>> } | undefined)?.shape ?? {});

const namedBy = (route: Route): readonly string[] =>
  (['params', 'query', 'body'] as const).flatMap((part) =>
    fieldsOf(route[part])
      .filter((field) => naming.test(field))
      .map((field) => `${part}.${field}`),
  );

test('whatever a request can name is looked at', () => {
  const missed = routes.flatMap((route) => {
    const reach = reachOf(route);
    if (!reach) return [];
    const looked = new Set(reach.names.map(({ at }) => at.split('.').slice(0, 2).join('.')));
    return namedBy(route)
      .filter((field) => !looked.has(field) && !(reach.lists && field === 'query.project'))
      .filter((field) => !(field === 'body.template' && looked.has('body.project') && isDocument(route)))
      .map((field) => `${route.id} ${field}`);
  });
  expect(missed).toEqual([]);
});

/** Its body holds a template, and names none. */
const isDocument = ({ id }: Route): boolean => ['createTemplate', 'replaceTemplate'].includes(id);

test('an operation that nobody decided about reaches everything', () => {
  expect(reachOf({ id: 'inventTomorrow' })).toBeUndefined();
  expect(reachOf({ id: 'toString' })).toBeUndefined();
});
