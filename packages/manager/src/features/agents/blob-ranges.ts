import { ProblemError } from '@sbox/core';
import type { BytesAnswer } from '@sbox/protocol';
import type { EnginesService } from '../engines/engines-service.ts';

/** Of an engine in one answer: what many servers fetch at once must not fill the memory. */
const maxPieceBytes = 4 * 1024 * 1024;

/** One range of bytes (RFC 9110, 14.1.2); suffixes and lists are not answered. @throws ProblemError `request.invalid` */
export function readRange(header: string, size: number, most: number): { from: number; length: number } {
  const [, first = '', last = ''] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header.trim()) ?? [];
  const from = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first === '' || from > end)
    throw new ProblemError('request.invalid', `the range ${header} is none of ${size} bytes`);
  return { from, length: Math.min(end - from + 1, most) };
}

/** `Content-Range`. */
export const rangeOf = (from: number, length: number, size: number): string =>
  `bytes ${from}-${from + length - 1}/${size}`;

/** A piece of an engine; fewer bytes than were asked for when that is too much at once. @throws ProblemError `blob.not-found`, `request.invalid` */
export async function enginePiece(
  engines: Pick<EnginesService, 'find' | 'piece'>,
  digest: string,
  header: string | undefined,
): Promise<BytesAnswer> {
  const build = await engines.find(digest);
  if (!build) throw new ProblemError('blob.not-found', `the engine ${digest} is not kept any more`);
  if (header === undefined) throw new ProblemError('request.invalid', 'an engine is given out in ranges only');
  const { from, length } = readRange(header, build.size, maxPieceBytes);
  const bytes = await engines.piece(digest, from, length);
  if (bytes?.length !== length) throw new ProblemError('blob.not-found', `the file of the engine ${digest} is gone`);
  return { bytes, etag: `"${digest}"`, range: rangeOf(from, length, build.size) };
}
