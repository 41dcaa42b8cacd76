// Bundles both programs into dist/, for Node 24 without node_modules:
//   dist/sboxmgr/main.mjs    with the parts beside it that only some commands load
//   dist/sboxagent/main.cjs  one file; CommonJS, because ESM's node:http loads a second undici into the agent's memory
import { rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type BuildOptions, build } from 'esbuild';

const root = path.join(import.meta.dirname, '..');

/** Options of both bundles. */
export const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'linked',
  logLevel: 'warning',
} satisfies BuildOptions;

export const programs = {
  sboxmgr: {
    entryPoints: {
      main: 'packages/cli/src/main.ts',
      // Looked for beside the bundle by the manager, which runs it as a thread.
      'policy-worker': 'packages/manager/src/features/policies/policy-worker.ts',
      'read-worker': 'packages/manager/src/features/subscriptions/read-worker.ts',
    },
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    // Commands that need no manager must not load one.
    splitting: true,
    external: ['pg-native'],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  },
  sboxagent: {
    entryPoints: { main: 'packages/agent/src/main.ts' },
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    minify: true,
  },
} satisfies Record<string, BuildOptions>;

/** Both programs into a directory that does not have to be there; answers what was written, with sizes in bytes. */
export async function buildInto(directory: string): Promise<ReadonlyMap<string, number>> {
  rmSync(directory, { recursive: true, force: true });
  const written = new Map<string, number>();
  for (const [name, options] of Object.entries(programs)) {
    const outdir = path.join(directory, name);
    const { metafile } = await build({ ...shared, ...options, outdir, metafile: true });
    writeFileSync(path.join(outdir, 'meta.json'), JSON.stringify(metafile));
    for (const output of Object.keys(metafile.outputs).filter((file) => /\.[cm]js$/.test(file)))
      written.set(output, statSync(path.join(root, output)).size);
  }
  return written;
}

async function main(): Promise<void> {
  for (const [file, bytes] of await buildInto(path.join(root, 'dist')))
    console.log(`${file}  ${(bytes / 1024).toFixed(0)} KiB`);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    // esbuild has said already what is wrong and where; its stack says nothing more.
    if (!(error instanceof Error && 'errors' in error)) throw error;
    process.exitCode = 1;
  }
}
