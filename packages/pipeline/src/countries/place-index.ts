import { countryTable } from './country-table.ts';
import { countryLetters, misleadingNames, placeNames, relayCities } from './place-names.ts';

/** Where names of countries and cities lead to. */
export interface PlaceIndex {
  /** Latin and Cyrillic, small letters without accents; words joined by one space. */
  readonly words: ReadonlyMap<string, string>;
  /** Russian words without their endings. */
  readonly stems: ReadonlyMap<string, string>;
  readonly chinese: ReadonlyMap<string, string>;
  readonly longestChinese: number;
}

const languages = 4;
const isChinese = /^[\u3400-\u9fff]+$/;
const isRussian = /^[\u0400-\u04ff]+$/;

/** Small letters without accents. */
const fold = (text: string): string => stripMarks(text).toLowerCase();

// eslint-disable-next-line no-control-regex
const ascii = /^[\x00-\x7f]*$/;

/** Letters without accents; what is ASCII stays as it is. */
export const stripMarks = (text: string): string =>
  ascii.test(text) ? text : text.normalize('NFD').replace(/\p{M}+/gu, '');

let index: PlaceIndex | undefined;

/** Made when it is first asked for: the names of all countries in all languages take a moment. */
export const placeIndex = (): PlaceIndex => (index ??= buildIndex());

function buildIndex(): PlaceIndex {
  const names = Object.entries(countryTable).map(([code, all]) => [code, all.split(' | ')] as const);
  const words = new Map<string, string>();
  const stems = new Map<string, string>();
  const chinese = new Map<string, string>();
  const add = (name: string, code: string): void => {
    const key = fold(name)
      .replace(/[^\p{L}]+/gu, ' ')
      .trim();
    if (key === '' || misleadingNames.has(key)) return;
    if (isChinese.test(key)) {
      chinese.set(key, code);
      return;
    }
    words.set(key, code);
    if (key.includes(' ') && key.length >= 7) words.set(key.replaceAll(' ', ''), code);
    if (isRussian.test(key)) {
      const stem = key.replace(/(?:ия|[аеиоуыьэюя])$/, (ending) => (ending === 'ия' ? 'и' : ''));
      if (stem.length >= 4) stems.set(stem, code);
    }
  };
  for (let language = 0; language < languages; language += 1)
    for (const [code, all] of names) add((all[language] ?? '').replace(/[（(].*$/, ''), code);
  for (const [code, list] of Object.entries(placeNames)) for (const name of list.split(', ')) add(name, code);
  for (const city of relayCities)
    for (const [letter, code] of Object.entries(countryLetters)) chinese.set(city + letter, code);
  return { words, stems, chinese, longestChinese: Math.max(...[...chinese.keys()].map(({ length }) => length)) };
}
