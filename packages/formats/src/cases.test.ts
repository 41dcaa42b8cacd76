import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { describe, expect, test } from '@jest/globals';
import { parseSubscription } from './index.ts';

/**
 * The golden cases of `links/cases` and `documents/cases`. A case is a line `== title`, the input, a line `--`, and
 * what comes of it, one JSON value a line: nodes without their ids, rejected lines without their texts, or the problem.
 * In inputs `⟦b64:text⟧` stands for the base64 of a text (`b64url`, `b64pct`, `b64lines` for its variants) and
 * `⟦crlf:⟧` for the end of a line.
 */
interface GoldenCase {
  readonly title: string;
  readonly input: string;
  readonly expected: readonly unknown[];
}

const encoders: Readonly<Record<string, (text: string) => string>> = {
  b64: (text) => Buffer.from(text).toString('base64'),
  b64url: (text) => Buffer.from(text).toString('base64url'),
  b64pct: (text) => encodeURIComponent(Buffer.from(text).toString('base64')),
  b64lines: (text) => Buffer.from(text).toString('base64').replace(/.{20}/g, '$&\r\n'),
  crlf: () => '\r\n',
};

function expand(text: string): string {
  const expanded = text.replace(
    /⟦(\w+):([^⟦⟧]*)⟧/g,
    (_, name: string, inner: string) => encoders[name]?.(inner) ?? '?',
  );
  return expanded === text ? text : expand(expanded);
}

function readCases(file: string): GoldenCase[] {
  return readFileSync(file, 'utf8')
    .split(/^== /m)
    .slice(1)
    .map((block) => {
      const [head = '', output = ''] = block.split(/^--\n/m);
      const newline = head.indexOf('\n');
      return {
        title: head.slice(0, newline),
        input: expand(head.slice(newline + 1).replace(/\n$/, '')),
        expected: output
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as unknown),
      };
    });
}

const without = (value: object, field: string): object =>
  Object.fromEntries(Object.entries(value).filter(([name]) => name !== field));

function outcome(input: string): unknown[] {
  try {
    const { format, nodes, rejected } = parseSubscription(input, {
      sha256: (bytes) => hash('sha256', bytes, 'buffer'),
    });
    return [
      { format },
      ...nodes.map((node) => without(node, 'id')),
      ...rejected.map((entry) => without(entry, 'text')),
    ];
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const rejected = (error.details?.['rejected'] ?? []) as { readonly text?: string }[];
    return [{ problem: error.code }, ...rejected.map((entry) => without(entry, 'text'))];
  }
}

for (const area of ['links', 'documents']) {
  const folder = path.join(import.meta.dirname, area, 'cases');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
    describe(`${area}/${file}`, () => {
      test.each(readCases(path.join(folder, file)))('$title', ({ input, expected }) => {
        expect(JSON.parse(JSON.stringify(outcome(input)))).toEqual(expected);
      });
    });
  }
}
