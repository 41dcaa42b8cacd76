import path from 'node:path';

const root = import.meta.dirname;
const packages = ['core', 'protocol', 'formats', 'engines', 'pipeline', 'daemon', 'manager', 'agent', 'cli', 'testkit'];
const folders = [...packages.map((name) => `packages/${name}`), 'scripts', 'examples'];

/** Whose tests start whole managers and agents. */
const startsPrograms = new Set(['packages/testkit']);

/** @type {import('jest').Config} */
export default {
  projects: folders.map((folder) => ({
    displayName: path.basename(folder),
    rootDir: path.join(root, folder),
    testEnvironment: 'node',
    testMatch: ['<rootDir>/**/*.test.ts'],
    modulePathIgnorePatterns: ['/\\.tsbuild/'],
    extensionsToTreatAsEsm: ['.ts'],
    ...(startsPrograms.has(folder) ? { globalSetup: path.join(root, '.ci/jest/build-programs.mjs') } : {}),
    transform: { '\\.ts$': path.join(root, '.ci/jest/esbuild-transformer.mjs') },
  })),
  // Real engines and daemons take their time on a busy machine; a test that hangs still ends.
  testTimeout: 60_000,
  // The default leaves one core idle, which halves the speed of a two-core machine.
  maxWorkers: '100%',
  coverageProvider: 'v8',
  collectCoverageFrom: ['packages/*/src/**/*.ts', '!**/*.test.ts', '!**/testing/**', '!**/main.ts'],
  coverageDirectory: 'coverage',
};
