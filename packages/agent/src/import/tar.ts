import { ProblemError } from '@sbox/core';

export interface TarLimits {
  readonly maxBytes: number;
  readonly maxFileBytes: number;
  readonly maxFiles: number;
}

const block = 512;
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Regular files of an archive in the ustar format (POSIX.1-2024, pax: "ustar Interchange Format"), by name in their
 * order. Links, directories, devices, extensions and names that lead elsewhere are refused: nothing of ours has them.
 * @throws ProblemError `bundle.invalid`
 */
export function readTar(archive: Uint8Array, limits: TarLimits): ReadonlyMap<string, Uint8Array> {
  if (archive.length > limits.maxBytes) throw invalid(`it is longer than ${limits.maxBytes} bytes`);
  const files = new Map<string, Uint8Array>();
  let at = 0;
  for (;;) {
    const header = archive.subarray(at, at + block);
    if (header.length < block) throw invalid('it was cut off');
    if (header.every((byte) => byte === 0)) return files;
    const { name, size } = readHeader(header);
    if (size > limits.maxFileBytes) throw invalid(`${name} is longer than ${limits.maxFileBytes} bytes`);
    if (files.has(name)) throw invalid(`${name} is in it twice`);
    if (files.size === limits.maxFiles) throw invalid(`it has more than ${limits.maxFiles} files`);
    const start = at + block;
    if (start + size > archive.length) throw invalid(`${name} was cut off`);
    files.set(name, archive.subarray(start, start + size));
    at = start + Math.ceil(size / block) * block;
  }
}

function readHeader(header: Uint8Array): { name: string; size: number } {
  if (textAt(header, 257, 5) !== 'ustar') throw invalid('it is no ustar archive');
  if (octalAt(header, 148, 8) !== checksum(header)) throw invalid('a header is damaged');
  const kind = textAt(header, 156, 1);
  const prefix = textAt(header, 345, 155);
  const name = prefix === '' ? textAt(header, 0, 100) : `${prefix}/${textAt(header, 0, 100)}`;
  if (kind !== '' && kind !== '0') throw invalid(`${printable(name)} is no regular file`);
  const isSafe =
    name !== '' &&
    !name.includes('\\') &&
    name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!isSafe) throw invalid(`the name ${printable(name)} leads elsewhere`);
  return { name, size: octalAt(header, 124, 12) };
}

/** Bytes of the header with the checksum's own field taken as spaces. */
const checksum = (header: Uint8Array): number =>
  header.reduce((sum, byte, place) => sum + (place >= 148 && place < 156 ? 0x20 : byte), 0);

function textAt(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  try {
    return decoder.decode(end < 0 ? field : field.subarray(0, end));
  } catch {
    throw invalid('a header holds bytes that are no text');
  }
}

function octalAt(header: Uint8Array, start: number, length: number): number {
  const digits = textAt(header, start, length).trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw invalid('a header holds a number that cannot be read');
  return Number.parseInt(digits, 8);
}

const printable = (name: string): string => name.replaceAll(/\p{Cc}/gu, '?').slice(0, 80);
const invalid = (detail: string): ProblemError => new ProblemError('bundle.invalid', detail);
