import { countryCodes, isCountryCode } from './codes.ts';

const regionalA = 0x1f1e6;
// Pairs of regional indicators, and the black flag with letters for England, Scotland and Wales.
const flagPattern = /[\u{1f1e6}-\u{1f1ff}]{2}|\u{1f3f4}\u{e0067}\u{e0062}[\u{e0061}-\u{e007a}]+\u{e007f}/gu;

/** The first half of every flag in UTF-16: most names have none and need no look. */
const flagSurrogate = '\ud83c';

/** Flags that stand for another country than their letters say. */
const flagAliases: Readonly<Record<string, string>> = { UM: 'US', AC: 'SH', TA: 'SH', EA: 'ES', IC: 'ES' };

/** The country of the first flag in a name. */
export function findFlag(name: string): string | undefined {
  if (!name.includes(flagSurrogate)) return undefined;
  for (const [flag] of name.matchAll(flagPattern)) {
    if (flag.startsWith('\u{1f3f4}')) return 'GB';
    const letters = Array.from(flag, (letter) =>
      String.fromCharCode((letter.codePointAt(0) ?? 0) - regionalA + 65),
    ).join('');
    const code = flagAliases[letters] ?? letters;
    if (isCountryCode(code)) return code;
  }
  return undefined;
}

const flags = new Map(
  countryCodes.map((code) => [
    code,
    String.fromCodePoint(...Array.from(code, (letter) => regionalA + letter.charCodeAt(0) - 65)),
  ]),
);

/** The flag of a country; nothing when it is not known. */
export const countryFlag = (country: string | undefined): string => flags.get(country ?? '') ?? '';

/** The name without flags and without the spaces that stood around them. */
export const removeFlags = (name: string): string =>
  name.includes(flagSurrogate) ? name.replace(flagPattern, ' ').replace(/ {2,}/g, ' ').trim() : name;
