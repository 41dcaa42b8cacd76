import { expect, test } from '@jest/globals';
import { normaliseName } from './names.ts';

/** The pictures and Chinese characters that names may hold without being normalised. */
function* untouched(): Iterable<string> {
  for (const [first, last] of [
    [0x4e00, 0x9fff],
    [0x1f000, 0x1faff],
  ] as const)
    for (let point = first; point <= last; point += 1) yield String.fromCodePoint(point);
}

test('no character that is passed over changes in NFC, joins another or is cut off', () => {
  const changed = [...untouched()].filter((character) => {
    const name = `e${character} ${character}`;
    return name.normalize('NFC') !== name || name.trim() !== name || /[\p{Cc}\p{M}]/u.test(character);
  });
  expect(changed).toEqual([]);
});

test.each([
  ['🇳🇱 Node 1', '🇳🇱 Node 1'],
  [' 🇳🇱 香港 01 ', '🇳🇱 香港 01'],
  ['🇳🇱 e\u0301', '🇳🇱 \u00e9'],
  ['🇳🇱\u202e1', '🇳🇱1'],
  ['🇳🇱\ud83c', '🇳🇱\ufffd'],
  ['香'.repeat(100), '香'.repeat(85)],
])('%j becomes %j', (name, expected) => expect(normaliseName(name)).toBe(expected));
