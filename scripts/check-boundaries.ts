// Fails when a package imports what `.ci/boundaries.json` does not allow, or when files import each other in a circle.
// Type-only imports count: a cycle of types is a cycle of ideas.
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';

export interface Boundaries {
  /** Package name → packages of ours it may import. */
  packages: Record<string, string[]>;
  /** Package name → entries (`package/entry`) it may load by `import()` only. */
  lazy: Record<string, string[]>;
  /** Package name → packages that only its tests may import. */
  testOnly: Record<string, string[]>;
  /** Packages that also run in a browser. */
  browserSafe: string[];
}

interface Import {
  specifier: string;
  isDynamic: boolean;
}

// Prettier keeps imports in these shapes; the end of the line keeps most prose and template text out.
const staticImport = /(?:^import|\bfrom) '([^']+)'(?: with \{[^}]*\})?;$/gm;
const dynamicImport = /\bimport\('([^']+)'\)/g;

function importsOf(source: string): Import[] {
  const found = (pattern: RegExp, isDynamic: boolean): Import[] =>
    [...source.matchAll(pattern)].map(([, specifier = '']) => ({ specifier, isDynamic }));
  return [...found(staticImport, false), ...found(dynamicImport, true)];
}

/** Says why `owner` must not make this import, or nothing when it may. */
function refusal(
  owner: string,
  isTest: boolean,
  { specifier, isDynamic }: Import,
  rules: Boundaries,
): string | undefined {
  if (isBuiltin(specifier)) {
    return rules.browserSafe.includes(owner) && !isTest ? `${owner} runs in browsers too: no ${specifier}` : undefined;
  }
  const [, target, entry] = /^@sbox\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  if (target === undefined || target === owner) return undefined;
  const allowed = [...(rules.packages[owner] ?? []), ...(isTest ? (rules.testOnly[owner] ?? []) : [])];
  if (allowed.includes(target)) return undefined;
  const isLazy = (rules.lazy[owner] ?? []).includes(`${target}/${entry}`);
  if (isLazy && isDynamic) return undefined;
  return isLazy ? `${owner} may load ${specifier} by import() only` : `${owner} must not import ${target}`;
}

/** Files by path (`packages/<name>/…`) → one sentence for each broken rule. */
export function checkBoundaries(files: ReadonlyMap<string, string>, rules: Boundaries): string[] {
  const problems: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, source] of files) {
    const [, owner = ''] = file.split('/');
    if (rules.packages[owner] === undefined) problems.push(`${file}: package ${owner} has no row in boundaries.json`);
    const isTest = file.endsWith('.test.ts') || /^packages\/[^/]+\/(?:test|bench|simulator|src\/testing)\//.test(file);
    const neighbours: string[] = [];
    for (const each of importsOf(source)) {
      const reason = refusal(owner, isTest, each, rules);
      if (reason !== undefined) problems.push(`${file}: ${reason}`);
      if (!each.specifier.startsWith('.')) continue;
      const target = path.posix.join(path.posix.dirname(file), each.specifier);
      if (!target.startsWith(`packages/${owner}/`))
        problems.push(`${file}: reaches into ${target}; import the package`);
      neighbours.push(target);
    }
    graph.set(file, neighbours);
  }
  return [...problems, ...cyclesIn(graph)];
}

function cyclesIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  function visit(file: string, trail: readonly string[]): void {
    const start = trail.indexOf(file);
    if (start >= 0) cycles.push(`cycle: ${[...trail.slice(start), file].join(' -> ')}`);
    if (start >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  }
  for (const file of graph.keys()) visit(file, []);
  return cycles;
}

if (import.meta.main) {
  const root = path.join(import.meta.dirname, '..');
  const rules = JSON.parse(readFileSync(path.join(root, '.ci/boundaries.json'), 'utf8')) as Boundaries;
  const paths = globSync('packages/*/{src,test,bench,simulator}/**/*.ts', { cwd: root });
  const problems = checkBoundaries(
    new Map(paths.map((file) => [file, readFileSync(path.join(root, file), 'utf8')])),
    rules,
  );
  // A check that looked at nothing must not pass.
  if (paths.length === 0) problems.push('no source files found under packages/');
  for (const problem of problems) console.error(problem);
  console.log(`boundaries: ${paths.length} files, ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
