import type { Json } from '../document.ts';
import type { Lowering } from './lowering.ts';
import { newFields } from './new-fields.ts';
import { visitPlaces } from '../checks/references.ts';

/**
 * What the engine does not know and no row has put in other words. What only tunes is left off with a warning; what
 * decides (a condition, a type, a lock) is refused, because the document would mean something else without it.
 */
export function dropTooNew(config: Json, { minor, warn, refuse }: Lowering): void {
  for (const { since, effect, at, keys, types, values } of newFields) {
    if (minor >= since) continue;
    visitPlaces(config, at === '' ? '' : `${at}.`, ({ object, path }) => {
      if (types !== undefined && !isOne(types, object['type'])) return;
      for (const key of keys) {
        const value = object[key];
        if (value === undefined || (values !== undefined && !isOne(values, value))) continue;
        const what = values === undefined ? key : `${key} ${JSON.stringify(value)}`;
        const message = `${what} needs sing-box 1.${since} or newer`;
        if (effect === 'refused') refuse(`${path}${key}`, message);
        delete object[key];
        warn(`${path}${key}`, `${message}; it is left off`);
      }
    });
  }
}

const isOne = (words: readonly string[], value: unknown): boolean => typeof value === 'string' && words.includes(value);
