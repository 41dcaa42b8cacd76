import { expect, test } from '@jest/globals';
import { operatorContract } from './contract.ts';
import { gatewayProblemsOf } from './gateway-problems.ts';
import { routesOf } from './route.ts';
import { stepUpOperations } from './step-up.ts';

test('what a session has to show itself for once more is there, and says so', () => {
  const routes = routesOf(operatorContract);
  expect([...stepUpOperations].filter((id) => !routes.some((route) => route.id === id))).toEqual([]);
  const saying = routes.filter((route) => gatewayProblemsOf(route).includes('auth.step-up-required'));
  expect(saying.map(({ id }) => id)).toEqual(expect.arrayContaining([...stepUpOperations]));
  // Of reads only those that can show secrets.
  for (const { id, method, permission, query } of saying)
    if (method === 'get' && permission !== 'secrets:reveal')
      expect([id, JSON.stringify(query)]).toEqual([id, expect.stringContaining('reveal')]);
});
