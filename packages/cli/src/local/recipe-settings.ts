import { configSettingsSchema } from '@sbox/protocol';
import { readWithSchema } from './read-with-schema.ts';
import type { Recipe } from './recipe.ts';

// A file of its own: the schema comes with all routes of the manager, which most recipes need not wait for.

/** @throws ProblemError `recipe.invalid` */
export function readSettings(value: unknown): Recipe['settings'] {
  const place = { at: 'settings', code: 'recipe.invalid' } as const;
  const { inbounds, urltest, log_level } = readWithSchema(configSettingsSchema, value, place);
  return { inbounds, urltest, log_level };
}
