import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countryCodes, isCountryCode } from './codes.ts';
import { countryName } from './country-names.ts';
import { countryTable } from './country-table.ts';
import { findCountry } from './find-country.ts';
import { countryFlag, findFlag, removeFlags } from './flags.ts';

/** Lines of `name | country`. */
const cases = readFileSync(path.join(import.meta.dirname, 'cases.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('# '))
  .map((line): [string, string] => {
    const at = line.lastIndexOf(' | ');
    return [line.slice(0, at), line.slice(at + 3)];
  });

test.each(cases)('%s is in %s', (name, country) => {
  expect(findCountry(name) ?? 'none').toBe(country);
});

test('every country is found by its flag and by its English name', () => {
  // Sint Maarten and the French half of the island have one name; the Chad of names is a man.
  const ambiguous = new Set(['MF', 'SX', 'TD']);
  for (const code of countryCodes) {
    expect(findFlag(`x ${countryFlag(code)}`)).toBe(code === 'UM' ? 'US' : code);
    expect([code, removeFlags(`${countryFlag(code)} x ${countryFlag(code)}`)]).toEqual([code, 'x']);
    if (!ambiguous.has(code)) expect([code, findCountry(countryName(code))]).toEqual([code, code]);
  }
});

test('the table has every country in four languages, and no English name twice', () => {
  expect(Object.keys(countryTable)).toEqual(countryCodes);
  expect(Object.values(countryTable).filter((names) => names.split(' | ').length !== 4)).toEqual([]);
  expect(new Set(countryCodes.map(countryName)).size).toBe(countryCodes.length);
});

test('any name gives a country or nothing, in little time', () => {
  const pieces = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('🇩🇪', 'DE', ' → ', ' via ', '香港', 'Герман', 'United', 'New '),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const country = findCountry(parts.join(''));
      return country === undefined || isCountryCode(country);
    }),
  );
});
