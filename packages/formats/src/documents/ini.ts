import { ProblemError } from '@sbox/core';
import type { Limits } from '../limits.ts';
import { forEachLine } from '../text/lines.ts';

/** A line with content inside a section; before the first one the section is empty. */
export interface IniLine {
  readonly section: string;
  readonly text: string;
  readonly number: number;
}

const comment = /^(?:#|;|\/\/)/;

/** Calls back with each line that is neither blank nor a comment; section names in small letters. */
export function forEachIniLine(text: string, visit: (line: IniLine) => void): void {
  let section = '';
  forEachLine(text, (raw, number) => {
    const line = raw.trim();
    if (line === '' || comment.test(line)) return;
    const name = /^\[([^\]]{1,256})\]$/.exec(line)?.[1];
    if (name === undefined) visit({ section, text: line, number });
    else section = name.trim().toLowerCase();
  });
}

/** @throws ProblemError `node.line-too-long` */
export function refuseLongLine(line: string, { maxLineBytes }: Pick<Limits, 'maxLineBytes'>): void {
  // UTF-8 takes at most three bytes for each UTF-16 unit, so short lines need no count.
  if (line.length * 3 > maxLineBytes && new TextEncoder().encode(line).length > maxLineBytes)
    throw new ProblemError('node.line-too-long', `the line is longer than ${maxLineBytes} bytes`);
}

/** `name = value`, the name perhaps in quotes. */
export function splitAssignment(line: string): readonly [string, string] | undefined {
  const [, double, single, bare, value] = /^(?:"([^"]*)"|'([^']*)'|([^=]*?))\s*=\s*(.*)$/s.exec(line) ?? [];
  return value === undefined ? undefined : [(double ?? single ?? bare ?? '').trim(), value];
}
