import type { ProblemLanguage } from '@sbox/core';

export type LanguageName = 'en' | 'ru';

/** English is what the program says; anything else is looked up by it. */
export interface Language extends ProblemLanguage {
  readonly name: LanguageName;
}

/**
 * What the variables ask for: `SBOXMGR_LANG`, else the first of those that POSIX names for messages, in its order.
 * What is not Russian is English, so that an unknown language breaks nothing.
 */
export function languageOf(env: Readonly<Record<string, string | undefined>>): LanguageName {
  const asked = [env['SBOXMGR_LANG'], env['LC_ALL'], env['LC_MESSAGES'], env['LANG']].find(Boolean) ?? '';
  return /^ru(?:$|[_.@-])/i.test(asked) ? 'ru' : 'en';
}

export const english: Language = { name: 'en', text: (words) => words, problem: () => undefined };
