import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { packTar } from './tar.ts';

test('the tar of the machine unpacks it: names, contents, modes and times', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'sbox-tar-'));
  const files = [
    { name: 'bundle.json', content: Buffer.from('{}\n') },
    { name: `blobs/sha256/${'a'.repeat(64)}`, content: Buffer.alloc(1000, 7) },
    { name: `blobs/sha256/${'b'.repeat(64)}`, content: Buffer.alloc(1024, 8) },
    { name: 'empty', content: Buffer.alloc(0) },
  ];
  try {
    const modifiedMs = Date.UTC(2026, 0, 1);
    execFileSync('tar', ['-x', '-C', directory], { input: packTar(files, modifiedMs) });
    for (const { name, content } of files) {
      expect(readFileSync(path.join(directory, name)).equals(content)).toBe(true);
      expect(statSync(path.join(directory, name))).toMatchObject({ mode: 0o100600, mtimeMs: modifiedMs });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
