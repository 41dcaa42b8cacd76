/** The oldest line that knows rule actions and endpoints. */
export const oldestMinor = 11;
export const oldestLine = `1.${oldestMinor}`;
/** The newest line whose differences are known here; later ones are written like it. */
export const newestMinor = 14;

/** The line of a version: `1.14` of `1.14.4`. */
export const lineOf = (version: string): string => /^v?(\d+\.\d+)/.exec(version)?.[1] ?? version;

/** A line alone means its first release: `1.14` is `1.14.0`. */
export const wholeVersion = (version: string): string => (/^\d+\.\d+$/.test(version) ? `${version}.0` : version);
