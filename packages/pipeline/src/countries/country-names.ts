import { countryTable } from './country-table.ts';

/** Names that differ from the table, where those are formal. */
const shortNames: Readonly<Record<string, string>> = {
  HK: 'Hong Kong',
  MO: 'Macao',
  MM: 'Myanmar',
  PS: 'Palestine',
  TR: 'Turkey',
  CD: 'DR Congo',
  CG: 'Congo',
  XK: 'Kosovo',
};

const names = new Map(
  Object.entries(countryTable).map(([code, all]) => [code, shortNames[code] ?? all.split(' | ')[0] ?? code]),
);

/** The English name of a country; nothing when it is not known. */
export const countryName = (country: string | undefined): string =>
  country === undefined ? '' : (names.get(country) ?? country);
