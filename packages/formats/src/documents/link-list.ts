import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import type { NodeDraft } from '../node.ts';
import { isLink, parseLink } from '../links/parse-link.ts';
import { isNoticeLine } from '../notices.ts';
import { forEachLine } from '../text/lines.ts';
import { readClashLine } from './clash.ts';

const comment = /^(?:#|\/\/|;)/;

/** One link on a line; lines that hold one Clash proxy as JSON occur among them. */
export function readLinkList(text: string, collector: Collector, limits: Limits): void {
  forEachLine(text, (raw, number) => {
    const line = raw.trim();
    if (line === '' || comment.test(line)) return;
    collector.add(number, line, () => readLine(line, limits));
  });
}

function readLine(line: string, limits: Limits): NodeDraft {
  // UTF-8 takes at most three bytes for each UTF-16 unit, so short lines need no count.
  if (line.length * 3 > limits.maxLineBytes && new TextEncoder().encode(line).length > limits.maxLineBytes) {
    throw new ProblemError('node.line-too-long', `the line is longer than ${limits.maxLineBytes} bytes`);
  }
  if (/^(?:-\s*)?\{/.test(line)) return readClashLine(line);
  if (!isLink(line) && isNoticeLine(line)) throw new ProblemError('node.notice', 'the line is a notice about the plan');
  return parseLink(line);
}
