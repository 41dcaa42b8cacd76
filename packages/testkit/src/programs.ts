import path from 'node:path';

const packages = path.join(import.meta.dirname, '../..');
const built = process.env['SBOX_PROGRAMS'];

const program = (source: string, bundle: string): string =>
  built === undefined || built === '' ? path.join(packages, source) : path.join(built, bundle);

/**
 * What runs as the manager and as the agent: the bundles that users get, where SBOX_PROGRAMS names the directory they were
 * built into, else the sources. Bundles start in half the processor time, which is most of what the tests take.
 */
export const programFiles = {
  sboxmgr: program('cli/src/main.ts', 'sboxmgr/main.mjs'),
  sboxagent: program('agent/src/main.ts', 'sboxagent/main.cjs'),
} as const;
