import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { commands } from '../src/index.ts';
import { sharedOptions } from '../src/shared-options.ts';
import { openManaged, type Managed } from './managed.ts';

/** Lists that want to be told of what. */
const args: Readonly<Record<string, readonly string[]>> = {
  'config versions': ['edge'],
  'subscription nodes': ['main'],
  'subscription versions': ['main'],
  'subscription fetches': ['main'],
  'template history': ['own'],
};
/** The row whose name is known; the others only have to have one. */
const names: Readonly<Record<string, string>> = {
  'subscription list': 'main',
  'subscription versions': '1',
  'config list': 'edge',
  'config versions': '1',
  'context list': 'office',
  'template list --local': 'mixed',
  'template list': 'own',
  'template history': '1',
  'user list': 'anna',
  'role list': 'admin',
  'exclusion list': 'n_0123456789abcdef',
};

const lists = commands
  .filter(({ usage, hasOwnOutput }) => usage.endsWith(' list') && hasOwnOutput !== true)
  .map(({ usage }) => usage)
  .concat(Object.keys(args), 'template list --local');

let manager: Managed;

beforeAll(async () => {
  manager = await openManaged();
  const { dir } = manager.host;
  writeFileSync(path.join(dir, 'links.txt'), 'trojan://not-to-be-shown@192.0.2.1:443?sni=a.test#Oslo\n');
  const own = { name: 'own', engine: 'sing-box', description: 'x', params: {}, document: { outbounds: [] } };
  writeFileSync(path.join(dir, 'own.json'), JSON.stringify(own));
  for (const words of [
    ['subscription', 'add', 'main', 'links.txt'],
    ['config', 'create', 'edge', '--subscription', 'main'],
    ['template', 'create', 'own', '-f', 'own.json'],
    ['user', 'create', 'anna', '--role', 'viewer', '--generate'],
    ['exclusion', 'add', 'n_0123456789abcdef', '--list', 'none.json'],
    ['exclusion', 'add', 'n_0123456789abcdef'],
    ['context', 'add', 'office', 'http://office.test'],
  ])
    expect(await inHome(...words)).toMatchObject({ code: 0 });
});

afterAll(async () => {
  await manager[Symbol.asyncDispose]();
});

const inHome = async (...words: string[]) =>
  await manager.runWith(
    { HOME: manager.host.dir },
    ...words.map((word) => word.replace('links.txt', path.join(manager.host.dir, 'links.txt'))),
    {
      cwd: manager.host.dir,
    },
  );

describe.each(lists)('%s', (list) => {
  const run = async (format: string) => await inHome(...list.split(' '), ...(args[list] ?? []), '-o', format);

  test('prints a table, a wider one, JSON, YAML and names', async () => {
    const [table, wide, json, yaml, name] = [
      await run('table'),
      await run('wide'),
      await run('json'),
      await run('yaml'),
      await run('name'),
    ];
    for (const ran of [table, wide, json, yaml, name]) expect(ran).toMatchObject({ code: 0 });
    const heading = (text: string): string[] => text.split('\n')[0]?.split(/ {2,}/) ?? [];
    expect(heading(wide.stdout).slice(0, heading(table.stdout).length)).toEqual(heading(table.stdout));
    expect(new Set(heading(wide.stdout)).size).toBe(heading(wide.stdout).length);
    expect(() => JSON.parse(json.stdout) as unknown).not.toThrow();
    const rows = table.stdout.trimEnd().split('\n').length - 1;
    const printed = name.stdout === '' ? [] : name.stdout.trimEnd().split('\n');
    expect(printed).toHaveLength(rows);
    // A name can be handed to the next command.
    for (const one of printed) expect(one).toMatch(/^[^\s-][^\n]*$/);
    for (const one of printed) expect(one).not.toMatch(/ ago$/);
    const known = names[list];
    if (known !== undefined) expect(printed).toContain(known);
    expect(table.stdout + wide.stdout + yaml.stdout).not.toContain('not-to-be-shown');
  });
});

test('there are lists, and each has rows that the test knows the name of where it can', () => {
  expect(lists.length).toBeGreaterThan(15);
  for (const list of [...Object.keys(names), ...Object.keys(args)]) expect(lists).toContain(list);
});

test('wide shows more: what the manager made, with secrets hidden', async () => {
  const { stdout } = await inHome('config', 'list', '-o', 'wide');
  expect(stdout).toMatch(/^NAME .* ID .* UPDATED AT/);
  expect((await inHome('subscription', 'nodes', 'main', '-o', 'wide')).stdout).toMatch(/Oslo.*\*\*\*/);
  expect((await inHome('inspect', 'links.txt', '-o', 'wide')).stdout).not.toContain('not-to-be-shown');
});

test('every command says which formats there are', () => {
  expect(sharedOptions[0]?.summary).toBe('how to print data: table, wide, json, yaml, name');
});
