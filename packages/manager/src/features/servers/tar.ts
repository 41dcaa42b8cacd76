export interface TarFile {
  readonly name: string;
  readonly content: Uint8Array;
}

const blockBytes = 512;

/** A tar of regular files, mode 0600, in the ustar format (POSIX.1-1988); names are at most 100 bytes of ASCII. */
export function packTar(files: readonly TarFile[], modifiedMs: number): Buffer {
  const parts = files.flatMap(({ name, content }) => [
    header(name, content.length, modifiedMs),
    content,
    padding(content.length),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)]);
}

const padding = (size: number): Buffer => Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);
const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

function header(name: string, size: number, modifiedMs: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const checksumAt = 148;
  block.write(name, 0, 100, 'ascii');
  block.write(octal(0o600, 8), 100, 'ascii');
  block.write(octal(0, 8), 108, 'ascii');
  block.write(octal(0, 8), 116, 'ascii');
  block.write(octal(size, 12), 124, 'ascii');
  block.write(octal(Math.floor(modifiedMs / 1000), 12), 136, 'ascii');
  block.write(' '.repeat(8), checksumAt, 'ascii');
  block.write('0', 156, 'ascii');
  block.write('ustar\u000000', 257, 'ascii');
  // The sum is taken with the checksum's own field as spaces.
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 7)} `, checksumAt, 'ascii');
  return block;
}
