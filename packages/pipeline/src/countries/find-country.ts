import { isCountryCode, misleadingCodes, otherCodes, unitCodes, wordCodes } from './codes.ts';
import { findFlag } from './flags.ts';
import { placeIndex, stripMarks, type PlaceIndex } from './place-index.ts';
import { countryLetters, lettersAlone } from './place-names.ts';

interface Found {
  readonly code: string;
  readonly length: number;
}

const words = /[A-Za-z]+|[\u0400-\u04ff]+|[\u3400-\u9fff]+/g;
const arrows = /\s*(?:→|➜|➔|⇒|⟶|»|>>|->|=>|\s>\s|转|轉)\s*/u;
const viaWords = /\s(?:via|through|через|经|經)\s/iu;
const maxWords = 5;

/**
 * The country that a node's name tells of: a flag, else the longest name of a country or city, else a code as a word of
 * its own. In `A → B` the end counts before the start, in `A via B` the start.
 */
export function findCountry(name: string): string | undefined {
  const parts = partsOf(name);
  const flagged = first(parts, findFlag);
  // The flag of China stands before names of Taiwan, Hong Kong and Macao too.
  if (flagged !== undefined && flagged !== 'CN') return flagged;
  const placed = first(parts, findPlace);
  if (flagged === undefined) return placed;
  return placed === 'TW' || placed === 'HK' || placed === 'MO' ? placed : flagged;
}

function partsOf(name: string): readonly string[] {
  const ways = viaWords.test(name) ? name.split(viaWords) : [name];
  return ways.flatMap((way) => (arrows.test(way) ? way.split(arrows).toReversed() : [way]));
}

function first(parts: readonly string[], find: (part: string) => string | undefined): string | undefined {
  for (const part of parts) {
    const found = find(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Word {
  readonly text: string;
  readonly small: string;
  readonly at: number;
}

function findPlace(part: string): string | undefined {
  const text = stripMarks(part);
  const found: Word[] = [];
  for (const match of text.matchAll(words))
    found.push({ text: match[0], small: match[0].toLowerCase(), at: match.index });
  const index = placeIndex();
  let best: Found | undefined;
  for (let at = 0; at < found.length; at += 1) best = better(best, placeAt(text, found, at, index));
  return best?.code;
}

/** Longer beats shorter, earlier beats later; China loses to all, because names tell where relays start. */
function better(best: Found | undefined, next: Found | undefined): Found | undefined {
  if (best === undefined || next === undefined) return best ?? next;
  if ((best.code === 'CN') !== (next.code === 'CN')) return best.code === 'CN' ? next : best;
  return next.length > best.length ? next : best;
}

function placeAt(text: string, found: readonly Word[], at: number, index: PlaceIndex): Found | undefined {
  const word = found[at];
  if (word === undefined) return undefined;
  if (/^[\u3400-\u9fff]/.test(word.text)) return chinesePlace(word.text, index);
  let key = word.small;
  let best = wordPlace(key, index);
  for (let next = at + 1; next < Math.min(found.length, at + maxWords); next += 1) {
    key += ` ${found[next]?.small ?? ''}`;
    const code = index.words.get(key);
    if (code !== undefined) best = { code, length: key.length };
  }
  return best ?? codePlace(text, word);
}

function wordPlace(word: string, { words: known, stems }: PlaceIndex): Found | undefined {
  const code = known.get(word);
  if (code !== undefined) return { code, length: word.length };
  if (word < '\u0400') return undefined;
  for (let cut = 0; cut <= 2; cut += 1) {
    const stem = word.slice(0, word.length - cut);
    const stemmed = stem.length >= (cut === 2 ? 5 : 4) ? stems.get(stem) : undefined;
    if (stemmed !== undefined) return { code: stemmed, length: word.length };
  }
  return undefined;
}

function chinesePlace(run: string, { chinese, longestChinese }: PlaceIndex): Found | undefined {
  if (run.length === 1) {
    const code = lettersAlone.has(run) ? countryLetters[run] : undefined;
    return code === undefined ? undefined : { code, length: 1 };
  }
  let best: Found | undefined;
  for (let start = 0; start < run.length - 1; start += 1) {
    for (let length = Math.min(longestChinese, run.length - start); length >= 2; length -= 1) {
      const code = chinese.get(run.slice(start, start + length));
      if (code === undefined) continue;
      best = better(best, { code, length });
      // What begins inside of a name is none: Mongolia in Inner Mongolia.
      start += length - 1;
      break;
    }
  }
  return best;
}

/** A code as a word of its own; small letters count at the start and before digits only. */
function codePlace(text: string, { text: word, at }: Word): Found | undefined {
  if (word.length > 3 || word.length < 2) return undefined;
  const upper = word.toUpperCase();
  const other = otherCodes.get(upper);
  const isCapital = word === upper;
  if (other !== undefined)
    return isCapital || upper === 'UK' || upper === 'USA' ? { code: other, length: word.length } : undefined;
  if (word.length !== 2 || !isCountryCode(upper) || misleadingCodes.has(upper)) return undefined;
  const before = text.slice(0, at);
  const after = text.slice(at + 2);
  // A network of China Telecom, wherever it leads.
  if (upper === 'CN' && /^2(?!\d)/.test(after)) return undefined;
  if (unitCodes.has(upper) && /\d\s*$/.test(before)) return undefined;
  if (wordCodes.has(upper)) {
    const isApart = /(?:^|[^\p{L}\p{N}\s.])\s*$/u.test(before) && /^\s*(?:$|[^\p{L}\s.])/u.test(after);
    if (!isCapital || !isApart) return undefined;
  } else if (!isCapital && !/^\d/.test(after) && !/^[^\p{L}\p{N}]*$/u.test(before)) return undefined;
  return { code: upper, length: 2 };
}
