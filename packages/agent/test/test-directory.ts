import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from '@jest/globals';

/** A directory for all tests of a file, gone after the last one. */
export function makeTestDirectory(name: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), `sbox-${name}-`));
  afterAll(() => rmSync(directory, { recursive: true }));
  return directory;
}
