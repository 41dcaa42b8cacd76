import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openTestHost } from './test-host.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/guide/local-work.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\S*)\n([^]*?)^```$/gm)].map(([, name = '', text = '']) => ({ name, text }));

/** Words as a shell takes them; the page uses single quotes only. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

/** `…` stands for anything, on a line of its own for any lines. */
const patternOf = (line: string): RegExp =>
  new RegExp(
    `^${line
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}`,
    'm',
  );

test('the guide to local work does what it says', async () => {
  using host = openTestHost();
  for (const { name, text } of blocks) if (name !== '') writeFileSync(path.join(host.dir, name), text);
  const examples = blocks
    .filter(({ name }) => name === '')
    .flatMap(({ text }) => text.split(/^\$ sboxmgr /m).filter(Boolean))
    .map((example) => example.trimEnd().split('\n'));
  expect(examples.length).toBeGreaterThan(15);
  for (const [command = '', ...shown] of examples) {
    const { code, stdout, stderr } = await host.run(wordsOf(command));
    expect({ command, code, stderr }).toMatchObject({ code: 0 });
    for (const line of shown.filter((one) => one !== '…')) expect(stdout + stderr).toMatch(patternOf(line));
  }
});
