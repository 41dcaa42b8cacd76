import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { parseSubscription } from '../parse-subscription.ts';

/**
 * The golden cases of `links/cases` and `documents/cases`. A case is a line `== title`, the input, a line `--`, and
 * what comes of it, one JSON value a line: nodes without their ids, rejected lines without their texts, or the problem.
 * In inputs `⟦b64:text⟧` stands for the base64 of a text (`b64url`, `b64pct`, `b64lines` for its variants) and
 * `⟦crlf:⟧` for the end of a line.
 */
export interface GoldenCase {
  readonly title: string;
  readonly input: string;
  readonly expected: readonly unknown[];
}

export interface GoldenFile {
  /** `links/vless.txt`. */
  readonly name: string;
  readonly cases: readonly GoldenCase[];
}

export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

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

const source = path.join(import.meta.dirname, '..');

export const goldenFiles: readonly GoldenFile[] = ['links', 'documents'].flatMap((area) =>
  readdirSync(path.join(source, area, 'cases'))
    .filter((name) => name.endsWith('.txt'))
    .map((name) => ({ name: `${area}/${name}`, cases: readCases(path.join(source, area, 'cases', name)) })),
);

const without = (value: object, field: string): object =>
  Object.fromEntries(Object.entries(value).filter(([name]) => name !== field));

/** What a text gives, in the form in which the cases expect it; a detour shows the name that it leads to. */
export function outcomeOf(input: string): readonly unknown[] {
  try {
    const { format, nodes, rejected, metadata } = parseSubscription(input, { sha256 });
    const { notices, ...facts } = metadata;
    const tags = new Map(nodes.map(({ id, tag }) => [id, tag]));
    return [
      { format, ...facts, ...(notices.length === 0 ? {} : { notices }) },
      ...nodes.map(({ id: _id, detour, ...node }) =>
        detour === undefined ? node : { ...node, detour: `→ ${tags.get(detour)}` },
      ),
      ...rejected.map((entry) => without(entry, 'text')),
    ];
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const rejected = (error.details?.['rejected'] ?? []) as { readonly text?: string }[];
    return [{ problem: error.code }, ...rejected.map((entry) => without(entry, 'text'))];
  }
}
