import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { encodeBase62 } from './base62.ts';
import { ProblemError } from './problem.ts';
import { formatAccessToken, formatJoinToken, parseAccessToken, parseJoinToken } from './token.ts';

const word = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => encodeBase62(bytes));
const joinToken = fc.record({
  id: word(12),
  secret: word(32),
  pin: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((pin) => new Uint8Array(pin)),
});
const accessToken = fc.record({
  kind: fc.constantFrom('pat' as const, 'svc' as const),
  id: word(12),
  secret: word(32),
});

const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'no problem';
  } catch (error) {
    return error instanceof ProblemError ? error.code : 'a bug';
  }
};

describe('tokens come back from their text', () => {
  test('join', () => {
    fc.assert(
      fc.property(joinToken, (token) => {
        expect(parseJoinToken(`  ${formatJoinToken(token)}\n`)).toEqual(token);
      }),
    );
  });

  test('access', () => {
    fc.assert(
      fc.property(accessToken, (token) => {
        expect(parseAccessToken(formatAccessToken(token))).toEqual(token);
        expect(codeOf(() => parseJoinToken(formatAccessToken(token)))).toBe('join-token.invalid');
      }),
    );
  });
});

test('a token with one wrong character is not a token', () => {
  fc.assert(
    fc.property(
      accessToken,
      joinToken,
      fc.nat(),
      fc.constantFrom('a', 'B', '7', '_', ' '),
      (access, join, at, letter) => {
        const break_ = (text: string): string => {
          const index = at % text.length;
          return text.slice(0, index) + letter + text.slice(index + 1);
        };
        const texts = [formatAccessToken(access), formatJoinToken(join)] as const;
        // A blank at an end is trimmed, which cuts the token.
        const broken = texts.map(break_) as [string, string];
        if (broken[0] !== texts[0]) expect(parseAccessToken(broken[0])).toBeUndefined();
        if (broken[1] !== texts[1]) expect(codeOf(() => parseJoinToken(broken[1]))).toBe('join-token.invalid');
      },
    ),
  );
});

test('no text is a bug', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom('sbox', 'join', 'pat', '', 'x'), { maxLength: 8 }).map((parts) => parts.join('_')),
  );
  fc.assert(
    fc.property(text, (given) => {
      expect(codeOf(() => parseJoinToken(given))).toBe('join-token.invalid');
      expect(parseAccessToken(given)).toBeUndefined();
    }),
  );
});
