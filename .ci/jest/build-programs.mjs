// Before the first test that starts whole programs: builds them as users get them, in a directory of this run alone, so that
// somebody else's run beside it never has them taken away. ./scripts/test has built them already and says where.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildInto } from '../../scripts/build.ts';

export default async function buildPrograms() {
  if (process.env['SBOX_PROGRAMS'] !== undefined) return;
  const directory = mkdtempSync(path.join(process.env['SBOX_TEST_DIR'] ?? tmpdir(), 'sbox-programs-'));
  await buildInto(directory);
  process.env['SBOX_PROGRAMS'] = directory;
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
}
