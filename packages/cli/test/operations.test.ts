import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { isRoute, operatorContract, type Contract } from '@sbox/protocol';

/** What people do in another way, or machines only; `sboxmgr api` asks for these too. */
const withoutCommand: Readonly<Record<string, string>> = {
  'templates.adopt': '`template adopt` does it on this machine, for `template create`',
  'engines.capabilities': '`engine capabilities` knows them without a manager',
  'session.stepUp': 'for sessions of browsers; tokens are not asked',
  'session.close': 'ends a session of a browser; `logout` revokes the token of its login',
  'sub.get': 'for the programs of clients',
  'sub.getAs': 'for the programs of clients',
  'system.metrics': 'for what collects metrics',
  'system.live': 'for what watches the process',
  'system.ready': 'for what watches the process',
};

const pathsOf = (contract: Contract, above = ''): string[] =>
  Object.entries(contract).flatMap(([name, entry]) =>
    isRoute(entry) ? [`${above}${name}`] : pathsOf(entry, `${above}${name}.`),
  );

const source = path.join(import.meta.dirname, '../src');
const sources = globSync('**/*.ts', { cwd: source })
  .filter((file) => !file.endsWith('.test.ts'))
  .map((file) => readFileSync(path.join(source, file), 'utf8'))
  .join('\n');

test('every operation of the manager has a command, or a reason why not', () => {
  const called = new Set([...sources.matchAll(/\bclient\.((?:\w+\.)*\w+)/g)].map(([, name]) => name));
  const missing = pathsOf(operatorContract).filter((name) => !called.has(name));
  expect(missing.toSorted()).toEqual(Object.keys(withoutCommand).toSorted());
});
