import { expect, test, describe } from '@jest/globals';
import fc from 'fast-check';
import { isProblemCode, ProblemError } from '@sbox/core';
import { makeTar } from '../../test/bundles.ts';
import { readTar } from './tar.ts';

const limits = { maxBytes: 1024 * 1024, maxFileBytes: 4096, maxFiles: 8 };
const content = Buffer.from('hello');

describe('reading an archive', () => {
  test('gives every file back as it was packed', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}(\/[a-z0-9]{1,8}){0,3}$/);
    const file = fc.record({ name, content: fc.uint8Array({ maxLength: 2000 }) });
    fc.assert(
      fc.property(fc.uniqueArray(file, { maxLength: 8, selector: (each) => each.name }), (files) => {
        const read = readTar(makeTar(files), limits);
        expect([...read.keys()]).toEqual(files.map((each) => each.name));
        for (const each of files) expect(Buffer.from(read.get(each.name) ?? [])).toEqual(Buffer.from(each.content));
      }),
    );
  });

  test('of any bytes, and of any archive with one byte changed or cut anywhere, ends in files or in a problem', () => {
    const good = makeTar([
      { name: 'bundle.json', content },
      { name: 'blobs/sha256/aa', content },
    ]);
    const damaged = fc.oneof(
      fc.uint8Array({ maxLength: 4000 }),
      fc
        .tuple(fc.nat(good.length - 1), fc.nat(255))
        .map(([at, byte]) => good.map((old, place) => (place === at ? byte : old))),
      fc.nat(good.length - 1).map((length) => good.subarray(0, length)),
    );
    fc.assert(
      fc.property(damaged, (bytes) => {
        try {
          readTar(bytes, limits);
        } catch (error) {
          expect(error).toBeInstanceOf(ProblemError);
          expect(isProblemCode((error as ProblemError).code)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['a symbolic link', makeTar([{ name: 'a', content: Buffer.alloc(0), kind: '2' }])],
    ['a directory', makeTar([{ name: 'a', content: Buffer.alloc(0), kind: '5' }])],
    ['an extended header', makeTar([{ name: 'a', content, kind: 'x' }])],
    ['a way up', makeTar([{ name: 'a/../../etc/passwd', content }])],
    ['an absolute name', makeTar([{ name: '/etc/passwd', content }])],
    ['an empty name', makeTar([{ name: '', content }])],
    [
      'the same name twice',
      makeTar([
        { name: 'a', content },
        { name: 'a', content },
      ]),
    ],
    ['too large a file', makeTar([{ name: 'a', content: Buffer.alloc(4097) }])],
    ['too many files', makeTar(Array.from({ length: 9 }, (_, index) => ({ name: `f${index}`, content })))],
    ['too large an archive', Buffer.alloc(limits.maxBytes + 1)],
    ['something else', Buffer.from('PK\u0003\u0004'.padEnd(600, 'x'))],
  ])('refuses %s', (_, archive) => {
    expect(() => readTar(archive, limits)).toThrow(expect.objectContaining({ code: 'bundle.invalid' }));
  });
});
