import type { ProblemWords } from '@sbox/core';
import type { Language, LanguageName } from './language.ts';

/** Everything that one language has for the English of the program. */
export interface Catalogue {
  readonly name: LanguageName;
  /** Fixed words, by the English ones. */
  readonly texts: Readonly<Record<string, string>>;
  /**
   * Words with values, by the English ones: `wrote {} of {} nodes`. On the right `{1}` is the first value, and
   * `{2:one|few|many}` the second one with the form of a noun that its number asks for.
   */
  readonly phrases: Readonly<Record<string, string>>;
  /** Forms of what is counted, by the English singular: `3 nodes`. */
  readonly nouns: Readonly<Record<string, PluralForms>>;
  /** Title and usual fix, by the code of the problem. */
  readonly problems: Readonly<Record<string, ProblemWords>>;
}

/** For 1, 21; 2 to 4, 22; 0, 5 to 20. */
export type PluralForms = readonly [one: string, few: string, many: string];

/** Parts that say something each: of a line with dots between, and lines. */
const partsOf = /(\s+·\s+|\s*\n\s*)/;

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

  const byNoun = (english: string): string | undefined => {
    const [, number = '', noun = ''] = /^(\d+) ([a-z-]+)$/.exec(english) ?? [];
    const forms = nouns[noun] ?? nouns[noun.replace(/s$/, '')];
    return forms && counted(number, forms);
  };

  const byPhrase = (english: string): string | undefined => {
    for (const { pattern, translated } of known) {
      const found = pattern.exec(english);
      if (found) return fill(translated, found.slice(1).map(text));
    }
    return undefined;
  };

  const fill = (translated: string, values: readonly string[]): string =>
    translated.replaceAll(/\{(\d)(?::([^|}]+)\|([^|}]+)\|([^|}]+))?\}/g, (_, index: string, ...forms: string[]) => {
      const value = values[Number(index) - 1] ?? '';
      const [one, few, many] = forms;
      return one !== undefined && few !== undefined && many !== undefined ? counted(value, [one, few, many]) : value;
    });

  function text(english: string): string {
    const fixed = Object.hasOwn(texts, english) ? texts[english] : undefined;
    if (fixed !== undefined) return fixed;
    const parts = english.split(partsOf);
    if (parts.length > 1) return parts.map((part, index) => (index % 2 === 1 ? part : text(part))).join('');
    return byNoun(english) ?? byPhrase(english) ?? english;
  }

  return { name, text, problem: (code) => (Object.hasOwn(problems, code) ? problems[code] : undefined) };
}

/** `{}` is a value, of at least one character. */
const patternOf = (english: string): RegExp =>
  new RegExp(
    `^${english
      .split('{}')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join('([^]+?)')}$`,
  );
