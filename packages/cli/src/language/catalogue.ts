import type { ProblemWords } from '@sbox/core';
import type { Language, LanguageName } from './language.ts';

/** Everything that one language has for the English of the program. */
export interface Catalogue {
  readonly name: LanguageName;
  /** Fixed words, by the English ones. */
  readonly texts: Readonly<Record<string, string>>;
  /**
   * Words with values, by the English ones: `read {}, {#} nodes`, with `{#}` for digits. On the right `{1}` is the first value as it is,
   * `{1~}` what the catalogue has for it, and `{2:one|few|many}` the second one with the form of a noun that its number
   * asks for.
   */
  readonly phrases: Readonly<Record<string, string>>;
  /** Forms of what is counted, by the English singular: `3 nodes`. */
  readonly nouns: Readonly<Record<string, PluralForms>>;
  /** Title and usual fix, by the code of the problem. */
  readonly problems: Readonly<Record<string, ProblemWords>>;
}

/** For 1, 21; 2 to 4, 22; 0, 5 to 20. */
export type PluralForms = readonly [one: string, few: string, many: string];

/** In characters of a part: what is longer is of a provider or an engine, and looking it up would take long. */
const longest = 1000;

/** Parts that say something each: of a line with dots between, and lines. */
const partsOf = /(\s+·\s+|\s*\n\s*)/;

/** Where values go on the translated side. */
const hole = /\{(\d)(~)?(?::([^}]+))?\}/g;

/**
 * Looks sentences up at the door, after they were made in English: so that what the manager, the engines and other
 * packages say is translated by the same catalogue, and what it does not know stays as it is.
 */
export function createLanguage({ name, texts, phrases, nouns, problems }: Catalogue): Language {
  const known = Object.entries(phrases)
    .map(([english, translated]) => ({ pattern: patternOf(english), length: english.length, translated }))
    // The one with most words fits best.
    .toSorted((a, b) => b.length - a.length);
  const plural = new Intl.PluralRules(name);

  const counted = (number: string, [one, few, many]: PluralForms): string => {
    const forms: Readonly<Record<string, string>> = { one, few };
    return `${number} ${forms[plural.select(Number(number))] ?? many}`;
  };

  const formsOf = new Map(Object.entries(nouns));
  const byNoun = (english: string): string | undefined => {
    const [, number = '', noun = ''] = /^(\d+) ([a-z-]+?)s?$/.exec(english) ?? [];
    const forms = formsOf.get(noun);
    return forms && counted(number, forms);
  };

  const byPhrase = (english: string): string | undefined => {
    for (const { pattern, translated } of known) {
      const found = pattern.exec(english);
      if (found) return fill(translated, found.slice(1));
    }
    return undefined;
  };

  const fill = (translated: string, values: readonly string[]): string =>
    translated.replaceAll(hole, (_, index: string, isLookedUp: string | undefined, forms: string | undefined) => {
      const value = values[Number(index) - 1] ?? '';
      const [one = '', few = '', many = ''] = forms?.split('|') ?? [];
      return forms === undefined ? (isLookedUp ? text(value) : value) : counted(value, [one, few, many]);
    });

  function text(english: string): string {
    const fixed = Object.hasOwn(texts, english) ? texts[english] : undefined;
    if (fixed !== undefined) return fixed;
    const parts = english.split(partsOf);
    if (parts.length > 1) return parts.map((part, index) => (index % 2 === 1 ? part : text(part))).join('');
    return english.length > longest ? english : (byNoun(english) ?? byPhrase(english) ?? english);
  }

  return { name, text, problem: (code) => (Object.hasOwn(problems, code) ? problems[code] : undefined) };
}

const patternOf = (english: string): RegExp =>
  new RegExp(
    `^${english
      .split(/(\{#?\})/)
      .map((part) => values[part] ?? part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join('')}$`,
  );

/** Of one character at least, and as few as fit; of one line, so that a text costs what its longest line does. */
const values: Readonly<Record<string, string>> = { '{}': '(.+?)', '{#}': String.raw`(\d+)` };
