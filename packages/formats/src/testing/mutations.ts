import * as fc from 'fast-check';

/** Inputs stay short enough that thousands of them take seconds. */
const maxLength = 64 * 1024;

/** One way to break a text; `at` and `length` count characters and wrap around its end. */
type Mutate = (text: string, numbers: Numbers, seeds: readonly string[]) => string;

interface Numbers {
  readonly at: number;
  readonly length: number;
  readonly choice: number;
}

const pieces = [
  '% %ff %00 :// @ : ? # & = [ ] { } " \' - , ; \\ | ` &a *a - !!int !<x> __proto__ constructor /* // ß é 名 🇩🇪'.split(
    ' ',
  ),
  [
    '\n',
    '\r',
    '\t',
    '<<: *a',
    '---\n',
    '...\n',
    '\0',
    '\u007f',
    '\u0085',
    '\u00a0',
    '\u200b',
    '\u202e',
    '\u2028',
    '\ufeff',
  ],
  ['\ud800', '\udc00'],
].flat();
const numbers = [
  '0',
  '-1',
  '00',
  '65536',
  '99999',
  '4294967296',
  '9007199254740993',
  '1e309',
  '0x1f',
  '9'.repeat(400),
  '1.5',
  'NaN',
];

const mutations: readonly Mutate[] = [
  // A bit flip.
  (text, { at, choice }) =>
    text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << (choice % 8))) + text.slice(at + 1),
  // The end, or a part in the middle, is missing.
  (text, { at }) => text.slice(0, at),
  (text, { at, length }) => text.slice(0, at) + text.slice(at + length),
  // A part of another text in between, and the beginning of one with the end of another.
  (text, { at, length, choice }, seeds) => {
    const other = seeds[choice % seeds.length] ?? '';
    const from = (choice * 31) % (other.length + 1);
    return text.slice(0, at) + other.slice(from, from + length * 8) + text.slice(at);
  },
  (text, { at, choice }, seeds) => text.slice(0, at) + (seeds[choice % seeds.length] ?? '').slice(-at),
  // A part many times.
  (text, { at, length, choice }) =>
    text.slice(0, at) + text.slice(at, at + length).repeat(1 + (choice % 200)) + text.slice(at + length),
  (text, { at, choice }) => text.slice(0, at) + text.charAt(at).repeat(choice % 5_000) + text.slice(at),
  // Another number where one stands.
  (text, { at, choice }) => {
    const rest = text.slice(at).replace(/\d+/, numbers[choice % numbers.length] ?? '');
    return text.slice(0, at) + rest;
  },
  // Something that means something somewhere.
  (text, { at, choice }) => text.slice(0, at) + (pieces[choice % pieces.length] ?? '') + text.slice(at),
  (text, { at, choice }) => text.slice(0, at) + (pieces[choice % pieces.length] ?? '') + text.slice(at + 1),
  // Once more inside base64.
  (text) => Buffer.from(text).toString('base64'),
];

const step = fc.record({
  kind: fc.nat(mutations.length - 1),
  at: fc.nat(2_000),
  length: fc.integer({ min: 1, max: 60 }),
  choice: fc.nat(100_000),
});

/** One of the texts, broken in up to six ways. */
export const mutated = (seeds: readonly string[]): fc.Arbitrary<string> =>
  fc.record({ seed: fc.nat(seeds.length - 1), steps: fc.array(step, { maxLength: 6 }) }).map(({ seed, steps }) => {
    let text = seeds[seed] ?? '';
    for (const { kind, at, length, choice } of steps) {
      const place = at % (text.length + 1);
      text = (mutations[kind]?.(text, { at: place, length, choice }, seeds) ?? text).slice(0, maxLength);
    }
    return text;
  });

/** Texts made of what links and documents are made of. */
export const patchwork = (seeds: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.constantFrom(...numbers), fc.constantFrom(...seeds)), {
      maxLength: 8,
    })
    .map((parts) => parts.join('').slice(0, maxLength));
