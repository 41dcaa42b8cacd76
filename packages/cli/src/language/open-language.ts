import { english, type Language, type LanguageName } from './language.ts';

/** The catalogue of a language is loaded only where it is spoken. */
export const openLanguage = async (name: LanguageName): Promise<Language> =>
  name === 'en' ? english : (await import('./ru.ts')).russian;
