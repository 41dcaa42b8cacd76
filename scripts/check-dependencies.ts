// Fails when a dependency from outside has no line in docs/dependencies.md that says why it is there, or the page
// speaks of one that is gone.
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

interface PackageFile {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** Rows look like ``| `name` | why |``; an empty reason is none. */
function documentedNames(page: string): string[] {
  return [...page.matchAll(/^\| `([^`]+)` +\| *[^\s|]/gm)].map(([, name = '']) => name);
}

export function checkDependencies(packageFiles: readonly PackageFile[], page: string): string[] {
  const used = new Set(
    packageFiles
      .flatMap((file) => Object.keys({ ...file.dependencies, ...file.devDependencies }))
      .filter((name) => !name.startsWith('@sbox/')),
  );
  const documented = documentedNames(page);
  return [
    ...[...used].filter((name) => !documented.includes(name)).map((name) => `${name}: no line in docs/dependencies.md`),
    ...documented
      .filter((name) => !used.has(name))
      .map((name) => `${name}: in docs/dependencies.md, but nothing uses it`),
    ...documented.filter((name, at) => documented.indexOf(name) !== at).map((name) => `${name}: two lines`),
  ].toSorted();
}

if (import.meta.main) {
  const root = path.join(import.meta.dirname, '..');
  const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
  const files = ['package.json', ...globSync('packages/*/package.json', { cwd: root })];
  const problems = checkDependencies(
    files.map((file) => JSON.parse(read(file)) as PackageFile),
    read('docs/dependencies.md'),
  );
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
