import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { build, type Metafile } from 'esbuild';
import { programs, shared } from './build.ts';

let outputs: Metafile['outputs'] = {};

beforeAll(async () => {
  const options = { ...shared, ...programs.sboxmgr, outdir: 'dist/sboxmgr', write: false, metafile: true } as const;
  ({ outputs } = (await build(options)).metafile);
});

/** What is loaded with an output before a line of it runs: its files, without what it imports when it is needed. */
function loadedWith(output: string): Map<string, number> {
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const { path: next, kind, external } of outputs[name]?.imports ?? [])
      if (kind === 'import-statement' && external !== true) visit(next);
  };
  visit(output);
  const inputs = [...seen].flatMap((name) => Object.entries(outputs[name]?.inputs ?? {}));
  return new Map(inputs.map(([file, { bytesInOutput }]) => [file, bytesInOutput]));
}

const outputOf = (entry: string): string =>
  Object.keys(outputs).find((name) => outputs[name]?.entryPoint === entry) ?? `no output of ${entry}`;

/** Every file of ours, and each package of others. */
const named = (files: Iterable<string>): string[] =>
  [
    ...new Set(
      [...files].map(
        (file) => /node_modules\/(?:\.pnpm\/[^/]+\/node_modules\/)?((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? file,
      ),
    ),
  ].toSorted();

test('sboxmgr --version loads its number and nothing else', () => {
  expect(named(loadedWith('dist/sboxmgr/main.mjs').keys())).toEqual([
    'packages/cli/package.json',
    'packages/cli/src/main.ts',
    'packages/cli/src/version.ts',
  ]);
});

test('sboxmgr --help loads the tables of commands, commander and core: no schemas, no HTTP, no YAML', () => {
  const files = new Map([
    ...loadedWith(outputOf('packages/cli/src/commands.ts')),
    ...loadedWith(outputOf('packages/cli/src/program.ts')),
  ]);
  const strange = named(files.keys()).filter(
    (file) =>
      !['commander', 'packages/cli/package.json'].includes(file) &&
      !/^packages\/cli\/src\/(?:[a-z-]+|commands\/[a-z-]+-(?:commands|options)|language\/(?:open-)?language|local\/option-rows)\.ts$/.test(
        file,
      ) &&
      !/^packages\/core\/src\/[a-z0-9-]+\.ts$/.test(file) &&
      !['packages/protocol/src/roles.ts', 'packages/protocol/src/permissions.ts'].includes(file),
  );
  expect(files.size).toBeGreaterThan(20);
  expect(strange).toEqual([]);
  const bytes = [...files.values()].reduce((sum, size) => sum + size, 0);
  expect(bytes).toBeLessThan(300 * 1024);
});

test('a handler is loaded by its own command only', () => {
  const files = [...loadedWith(outputOf('packages/cli/src/commands.ts')).keys()].map((file) => path.basename(file));
  expect(files).toContain('commands.ts');
  for (const handler of ['serve.ts', 'files.ts', 'login.ts', 'connection.ts', 'generate.ts'])
    expect(files).not.toContain(handler);
});
